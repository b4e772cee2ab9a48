# Shares of explained variation on R's data set `swiss`: every subset by lm, weighted by hand.
# They are, to four digits, what Grömping (2006) prints for type "lmg" of the package relaimpo.
# Run from the repository:
#   Rscript tests/oracles/lmg.R
# Writes lmg.csv (name,value) and swiss.csv (the rows) beside this script.
options(digits = 15)
here <- "tests/oracles/"
r2 <- function(names) if (length(names)) summary(lm(reformulate(names, "Fertility"), swiss))$r.squared else 0
shares <- function(drivers, first = c()) {
  p <- length(drivers)
  sapply(drivers, function(one) {
    others <- setdiff(drivers, one)
    total <- 0
    for (mask in 0:(2^(p - 1) - 1)) {
      some <- others[bitwAnd(mask, 2^(0:(p - 2))) > 0]
      k <- length(some)
      total <- total + factorial(k) * factorial(p - 1 - k) / factorial(p) *
        (r2(c(first, some, one)) - r2(c(first, some)))
    }
    total
  })
}
drivers <- names(swiss)[-1]
rows <- list()
for (one in drivers) rows[[paste0("lmg.", one)]] <- shares(drivers)[[one]]
rest <- setdiff(drivers, "Catholic")
for (one in rest) rows[[paste0("after.Catholic.", one)]] <- shares(rest, "Catholic")[[one]]
fit <- lm(Fertility ~ ., swiss)
for (one in drivers) rows[[paste0("effect.", one)]] <- unname(coef(fit)[one]) * sd(swiss[[one]])
rows[["r.squared"]] <- summary(fit)$r.squared
# a logistic regression, and the mean change for one standard deviation, half below to half above
swiss$high <- as.integer(swiss$Fertility > 70)
fit <- glm(high ~ Agriculture + Education + Infant.Mortality, binomial, swiss,
           control = glm.control(epsilon = 1e-14))
eta <- predict(fit)
for (one in c("Agriculture", "Education", "Infant.Mortality")) {
  half <- coef(fit)[[one]] * sd(swiss[[one]]) / 2
  rows[[paste0("logistic.", one)]] <- mean(plogis(eta + half) - plogis(eta - half))
}
write.csv(data.frame(name = names(rows), value = format(unlist(rows), digits = 15, trim = TRUE)),
          paste0(here, "lmg.csv"), row.names = FALSE, quote = FALSE)
write.csv(swiss, paste0(here, "swiss.csv"), row.names = FALSE, quote = FALSE)
