# Numbers of R that tests/test_correlations.py and tests/test_suitability.py compare with.
# Run from the repository:
#   Rscript tests/oracles/psych_correlations.R path/to/mobi.csv
# Writes psych_correlations.csv beside this script: name,value.
library(psych)
library(polycor)
options(digits = 15)
rows <- list()
add <- function(name, value) rows[[name]] <<- unname(value)

# a small table by rule, in five, four, three and two classes; test_correlations.py makes the same
i <- 0:299
small <- data.frame(
  a = (i * 7) %% 5 + 1,
  b = pmin(((i * 7) %% 5 + (i * 13) %% 8) %/% 2, 4) + 1,
  c = ((i * 7) %% 5 + (i * 11) %% 6) %/% 3 + 1,
  d = as.integer((i * 7) %% 5 + (i * 13) %% 9 > 6) + 1,
  e = (i * 17) %% 7 %/% 2 + 1
)
mobi <- read.csv(commandArgs(trailingOnly = TRUE)[1])
cut5 <- as.data.frame(lapply(mobi, function(x) (x - 1) %/% 2 + 1))

add_pearson <- function(prefix, data) {
  r <- cor(data)
  k <- KMO(r)
  add(paste0(prefix, ".kmo"), k$MSA)
  for (item in names(data)) add(paste0(prefix, ".kmo.", item), k$MSAi[item])
  b <- cortest.bartlett(r, n = nrow(data))
  add(paste0(prefix, ".bartlett.chi2"), b$chisq)
  add(paste0(prefix, ".bartlett.df"), b$df)
  add(paste0(prefix, ".bartlett.p"), b$p.value)
}
add_polychoric <- function(prefix, data) {
  # psych, each pair by its own margins (its global = TRUE is the same where no answer is missing)
  r <- suppressWarnings(polychoric(data, correct = 0, smooth = FALSE, global = FALSE)$rho)
  items <- names(data)
  for (j in 2:length(items)) for (l in 1:(j - 1)) {
    pair <- paste(items[l], items[j], sep = ".")
    add(paste0(prefix, ".psych.", pair), r[l, j])
    if (prefix == "small") {
      add(paste0(prefix, ".polycor.", pair), polychor(data[[l]], data[[j]], ML = FALSE))
      # where its second search leaves the range there is no error from polycor
      p <- try(polychor(data[[l]], data[[j]], ML = FALSE, std.err = TRUE), silent = TRUE)
      if (inherits(p, "polycor")) add(paste0(prefix, ".polycor.se.", pair), sqrt(p$var))
    }
  }
}
add_pearson("small", small)
add_polychoric("small", small)
add_pearson("mobi", mobi)
add_polychoric("cut", cut5)

# two by two
table2 <- matrix(c(40, 15, 20, 60), 2)
add("tetrachoric", tetrachoric(table2, correct = 0)$rho)

# the nearest correlations, to eigenvalues of 0.001 or more
wrong <- matrix(c(1, .9, .1, .9, 1, .8, .1, .8, 1), 3)
near <- as.matrix(Matrix::nearPD(wrong, corr = TRUE, posd.tol = 1e-12, eig.tol = 1e-12,
                                 conv.tol = 1e-12, maxit = 10000)$mat)
for (p in list(c(1, 2), c(1, 3), c(2, 3))) add(paste("near", p[1], p[2], sep = "."), near[p[1], p[2]])

write.csv(data.frame(name = names(rows), value = format(unlist(rows), digits = 15, trim = TRUE)),
  "tests/oracles/psych_correlations.csv", row.names = FALSE, quote = FALSE)
