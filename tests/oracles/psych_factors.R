# Numbers of R's psych that tests/test_factors.py and tests/test_factor_count.py compare with.
# Run from the repository:
#   Rscript tests/oracles/psych_factors.R path/to/mobi.csv
# Writes psych_factors.csv beside this script: name,value.
suppressMessages({library(psych); library(GPArotation)})
options(digits = 15, mc.cores = 1)

# stats::varimax stops after five decimals of its criterion, too early for three of a loading;
# psych has no way to ask it for more
exact <- stats::varimax
formals(exact)$eps <- 1e-15
stats_space <- asNamespace("stats")
unlockBinding("varimax", stats_space)
assign("varimax", exact, envir = stats_space)
exports <- as.environment("package:stats")
unlockBinding("varimax", exports)
assign("varimax", exact, envir = exports)

# correlations by a rule that anyone can repeat: three factors, and a little that they do not tell
made <- function() {
  i <- 1:12
  load <- matrix(0, 12, 3)
  load[cbind(i, (i - 1) %/% 4 + 1)] <- 0.4 + ((i * 7) %% 5) / 10
  load[cbind(i, (i %% 3) + 1)] <- load[cbind(i, (i %% 3) + 1)] + 0.1
  load[2, 1] <- -load[2, 1]
  phi <- matrix(c(1, 0.4, 0.2, 0.4, 1, 0.3, 0.2, 0.3, 1), 3)
  r <- load %*% phi %*% t(load) + 0.03 * cos(outer(i, i))
  diag(r) <- 1
  r
}
survey <- read.csv(commandArgs(TRUE)[1])
survey <- survey[, sapply(survey, is.numeric)]
examples <- list(
  made = list(r = made(), n = 300, factors = 3), mobi = list(r = cor(survey), n = 250, factors = 4)
)

values <- list()
put <- function(name, x) {
  x <- unclass(x)
  if (is.matrix(x)) {
    for (i in seq_len(nrow(x))) for (j in seq_len(ncol(x)))
      values[[paste(name, i, j, sep = ".")]] <<- x[i, j]
  } else if (length(x) > 1) {
    for (i in seq_along(x)) values[[paste(name, i, sep = ".")]] <<- unname(x[i])
  } else values[[name]] <<- unname(x)
}
for (name in names(examples)) {
  one <- examples[[name]]
  r <- one$r
  dimnames(r) <- list(paste0("i", seq_len(nrow(r))), paste0("i", seq_len(nrow(r))))
  set.seed(1)
  parallel <- fa.parallel(r, n.obs = one$n, n.iter = 2000, SMC = TRUE, plot = FALSE)
  put(paste0(name, ".parallel.pc"), parallel$ncomp)
  put(paste0(name, ".parallel.fa"), parallel$nfact)
  put(paste0(name, ".eigen.pc"), parallel$pc.values)
  put(paste0(name, ".eigen.fa"), parallel$fa.values)
  put(paste0(name, ".map"), vss(r, n = 8, n.obs = one$n, fm = "ml", plot = FALSE)$map)
  for (rotate in c("oblimin", "varimax", "promax")) {
    fit <- fa(r, one$factors, n.obs = one$n, fm = "ml", rotate = rotate, scores = "Bartlett")
    phi <- if (is.null(fit$Phi)) diag(one$factors) else fit$Phi
    at <- paste0(name, ".", rotate)
    put(paste0(at, ".loadings"), fit$loadings)
    put(paste0(at, ".phi"), phi)
    put(paste0(at, ".weights"), fit$weights)
    put(paste0(at, ".uniqueness"), fit$uniquenesses)
  }
  own <- omega(r, nfactors = one$factors, fm = "ml", n.obs = one$n, flip = TRUE, plot = FALSE)
  put(paste0(name, ".omega.tot"), own$omega.tot)
  # of a scale: the first four items, as a factor of their own
  part <- r[1:4, 1:4]
  put(paste0(name, ".scale.alpha"), alpha(part, check.keys = TRUE)$total$std.alpha)
  scale <- omega(part, nfactors = 1, fm = "ml", n.obs = one$n, flip = TRUE, plot = FALSE)
  put(paste0(name, ".scale.omega"), scale$omega.tot)
}
put("mobi.raw_alpha", alpha(survey[, grep("PERQ", names(survey))])$total$raw_alpha)
frame <- data.frame(name = names(values), value = format(unlist(values), digits = 15, trim = TRUE))
write.csv(frame, "tests/oracles/psych_factors.csv", row.names = FALSE, quote = FALSE)
cat("R", as.character(getRversion()), "psych", as.character(packageVersion("psych")),
    "GPArotation", as.character(packageVersion("GPArotation")), "\n")
