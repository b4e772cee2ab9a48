# Numbers of R's maxstat package that tests/test_cutpoints.py compares with. Run from the repository:
#   Rscript tests/oracles/maxstat.R path/to/telco.csv
# Writes, beside this script, maxstat_treepipit.csv (R's own example) and maxstat_ties.csv (made
# here: ties, a weak effect), one row per bird or customer, and maxstat.csv: name,value.
library(maxstat)
library(mvtnorm)
options(digits = 15)
here <- "tests/oracles/"
table <- function(rows, file) write.csv(rows, paste0(here, file), row.names = FALSE, quote = FALSE)

data(treepipit)
birds <- data.frame(x = treepipit$coverstorey, y = as.integer(treepipit$counts > 0))
table(birds, "maxstat_treepipit.csv")

set.seed(1992)
x <- round(rexp(600, 1 / 15))
ties <- data.frame(x = x, y = rbinom(600, 1, ifelse(x <= 9, 0.20, 0.31)))
table(ties, "maxstat_ties.csv")

telco <- read.csv(commandArgs(TRUE)[1])
telco <- data.frame(x = telco$tenure, y = as.integer(telco$Churn == "Yes"))
# the whole sample differs beyond any p-value; a customer in 40 leaves one to compare
few <- telco[seq(1, nrow(telco), 40), ]

draws <- 1e5
rows <- list(draws = draws, r = as.character(getRversion()), maxstat = as.character(packageVersion("maxstat")))
for (name in c("treepipit", "ties", "telco", "few")) {
  d <- list(treepipit = birds, ties = ties, telco = telco, few = few)[[name]]
  for (props in list(c(0.1, 0.9), c(0.25, 0.6))) {
    test <- function(pmethod, ...) maxstat(d$y, d$x, smethod = "Data", pmethod = pmethod,
                                           minprop = props[1], maxprop = props[2], ...)
    key <- function(what) paste(name, props[1], what, sep = ".")
    got <- test("Lau92")
    rows[[key("cut")]] <- got$estimate
    rows[[key("statistic")]] <- got$statistic
    rows[[key("cuts")]] <- length(got$cuts)
    rows[[key("first")]] <- got$cuts[1]
    rows[[key("last")]] <- got$cuts[length(got$cuts)]
    rows[[key("lau92")]] <- got$p.value
    # the normal law with maxstat's cuts, at b; its own exactGauss fails on telco ("not a
    # correlation matrix") and sees only its own statistic
    m <- sapply(got$cuts, function(cut) sum(d$x <= cut))
    N <- nrow(d)
    corr <- outer(m, m, function(a, b)
      sqrt(pmin(a, b) * (N - pmax(a, b)) / (pmax(a, b) * (N - pmin(a, b)))))
    for (b in c(1.5, 2.5, 3)) {
      set.seed(1)
      rows[[key(paste("gauss", b, sep = "."))]] <- 1 - pmvnorm(
        rep(-b, length(m)), rep(b, length(m)), corr = corr, maxpts = 1e6, abseps = 1e-5)
    }
    if (name == "telco") next
    set.seed(1)
    rows[[key("exactGauss")]] <- test("exactGauss")$p.value
    set.seed(2)
    rows[[key("condMC")]] <- test("condMC", B = draws)$p.value
    # condMC counts what is larger; a p-value counts what is equal, too
    y <- d$y[order(d$x)]
    set.seed(3)
    rows[[key("permuted")]] <- mean(replicate(draws, {
      z <- abs(cumsum(sample(y))[m] - m / N * sum(y)) / sqrt(m * (N - m))
      max(z)
    }) >= (1 - 1e-9) * max(abs(cumsum(y)[m] - m / N * sum(y)) / sqrt(m * (N - m))))
  }
}
table(data.frame(name = names(rows), value = unlist(lapply(rows, format, digits = 15))),
      "maxstat.csv")
