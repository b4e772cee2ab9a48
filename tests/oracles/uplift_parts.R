# Numbers of R that tests/test_uplift_reached.py, test_uplift_two_parts.py,
# test_uplift_months_kept.py and test_uplift_attrition.py compare with. Run from the repository:
#   Rscript tests/oracles/uplift_parts.R
# Writes uplift_parts.csv (name,value) and kept.csv (counts of R's data `colon`) beside this script.
library(survival)
options(digits = 15)
here <- "tests/oracles/"
out <- list()

# rows that tests make, too: 90 treated and 120 controls
i <- 0:209
arm <- as.integer(i < 90)
contacted <- as.integer(ifelse(arm == 1, i %% 4 != 0, i %% 15 == 0))
amount <- ifelse((i * 7) %% 5 < 2 + arm, ((i * 37) %% 101) + 20 * contacted * ((i * 7) %% 5 == 1) + 1, 0)
bought <- as.integer(amount > 0)

# Anderson and Rubin: the values of b whose Welch test of amount - b * contacted gives t at the
# bound, with the degrees of freedom of the estimate; found by root search, not by the quadratic
welch <- function(b) {
  y <- amount - b * contacted
  t.test(y[arm == 1], y[arm == 0])
}
wald <- (mean(amount[arm == 1]) - mean(amount[arm == 0])) /
  (mean(contacted[arm == 1]) - mean(contacted[arm == 0]))
bar <- qt(0.975, welch(wald)$parameter)
off <- function(b) abs(welch(b)$statistic) - bar
out$wald <- wald
out$ar.low <- uniroot(off, c(wald - 200, wald), tol = 1e-12)$root
out$ar.high <- uniroot(off, c(wald, wald + 200), tol = 1e-12)$root
# two-stage least squares by AER
out$tsls <- unname(coef(AER::ivreg(amount ~ contacted | arm))["contacted"])

# buyers only
for (z in 0:1) {
  one <- t.test(amount[arm == z & bought == 1])
  out[[paste0("buyer.", z, ".mean")]] <- unname(one$estimate)
  out[[paste0("buyer.", z, ".low")]] <- one$conf.int[1]
  out[[paste0("buyer.", z, ".high")]] <- one$conf.int[2]
}
both <- t.test(amount[arm == 1 & bought == 1], amount[arm == 0 & bought == 1])
out$buyer.diff.low <- both$conf.int[1]
out$buyer.diff.high <- both$conf.int[2]
out$buyer.diff.p <- both$p.value
# the split: variance by the influence of each row on the part that is due to more buyers
part <- function(w) { # weights of rows
  s <- sapply(0:1, function(z) sum((w * bought)[arm == z]) / sum(w[arm == z]))
  a <- sapply(0:1, function(z) sum((w * amount)[arm == z]) / sum(w[arm == z]))
  m <- a / s
  c(buyers = (s[2] - s[1]) * (m[2] + m[1]) / 2, size = (m[2] - m[1]) * (s[2] + s[1]) / 2)
}
one <- rep(1, length(arm))
at <- part(one)
out$from.buyers <- at[["buyers"]]
out$from.size <- at[["size"]]
h <- 1e-5 # central differences by each row's weight: an infinitesimal jackknife
influence <- sapply(seq_along(arm), function(k) {
  up <- one; up[k] <- 1 + h
  down <- one; down[k] <- 1 - h
  (part(up) - part(down)) / (2 * h)
})
size <- ifelse(arm == 1, sum(arm), sum(1 - arm))
out$var.buyers <- sum(influence["buyers", ]^2 * size / (size - 1))
out$var.size <- sum(influence["size", ]^2 * size / (size - 1))

# months kept: deaths of colon, in months of 30 days, that end with the month
rows <- colon[colon$etype == 2, ]
rows$month <- pmax(1, ceiling(rows$time / 30))
counts <- aggregate(n ~ rx + month + status, transform(rows, n = 1), sum)
write.csv(data.frame(arm = counts$rx, duration = counts$month, left = counts$status, n = counts$n),
  paste0(here, "kept.csv"), row.names = FALSE, quote = FALSE)
for (tau in c(12, 80)) {
  fit <- summary(survfit(Surv(month, status) ~ rx, rows), rmean = tau)$table
  for (one in rownames(fit)) {
    name <- paste(sub("rx=", "", one), tau, sep = ".")
    out[[paste0("rmst.", name)]] <- fit[one, "rmean"]
    out[[paste0("se.", name)]] <- fit[one, "se(rmean)"]
  }
}

# losses: Pearson and Fisher
lost <- rbind(c(940, 60), c(950, 50), c(880, 120))
out$lost.chisq <- chisq.test(lost, correct = FALSE)$p.value
out$lost.fisher <- fisher.test(rbind(c(36, 4), c(49, 1)))$p.value
out$overlap.chisq <- chisq.test(rbind(c(400, 60, 40), c(390, 45, 65)), correct = FALSE)$p.value
write.csv(data.frame(name = names(out), value = format(unlist(out), digits = 15, trim = TRUE)),
  paste0(here, "uplift_parts.csv"), row.names = FALSE, quote = FALSE)
