# Numbers of R's survival package that tests/test_churn.py compares with. Run from the repository:
#   Rscript tests/oracles/survival.R path/to/telco.csv
# Writes telco.csv and truncated.csv beside this script: name,value.
library(survival)
options(digits = 15)
telco <- read.csv(commandArgs(TRUE)[1])
telco <- telco[telco$tenure > 0, ]
telco$left <- as.integer(telco$Churn == "Yes")
here <- "tests/oracles/"
save <- function(rows, file) write.csv(
  data.frame(name = names(rows), value = format(unlist(rows), digits = 15, trim = TRUE)),
  paste0(here, file), row.names = FALSE, quote = FALSE)

rows <- list()
fit <- survfit(Surv(tenure, left) ~ 1, telco, conf.type = "log-log")
for (m in c(1, 3, 5, 12, 24, 48, 72)) {
  s <- summary(fit, times = m)
  rows[[paste0("km.", m, ".survival")]] <- s$surv
  rows[[paste0("km.", m, ".low")]] <- s$lower
  rows[[paste0("km.", m, ".high")]] <- s$upper
  rows[[paste0("km.", m, ".at_risk")]] <- s$n.risk
}
monthly <- telco[telco$Contract == "Month-to-month" & telco$InternetService != "No", ]
fit <- survfit(Surv(tenure, left) ~ 1, monthly, conf.type = "log-log")
for (m in c(3, 5, 6, 12, 24)) {
  s <- summary(fit, times = m)
  rows[[paste0("monthly.", m, ".survival")]] <- s$surv
  rows[[paste0("monthly.", m, ".low")]] <- s$lower
  rows[[paste0("monthly.", m, ".high")]] <- s$upper
}
rows[["monthly.median"]] <- unname(summary(fit)$table["median"])
for (by in c("Contract", "gender", "PaymentMethod")) {
  test <- survdiff(as.formula(paste("Surv(tenure, left) ~", by)), telco)
  rows[[paste0("logrank.", by)]] <- test$chisq
}
cox <- coxph(Surv(tenure, left) ~ Contract + InternetService + MonthlyCharges + SeniorCitizen,
             telco, ties = "efron", control = coxph.control(eps = 1e-11, toler.chol = 1e-12, iter.max = 50))
for (i in seq_along(coef(cox))) {
  rows[[paste0("cox.", names(coef(cox))[i])]] <- unname(coef(cox)[i])
  rows[[paste0("cox.se.", names(coef(cox))[i])]] <- sqrt(diag(vcov(cox)))[[i]]
}
rows[["cox.loglik"]] <- cox$loglik[2]
save(rows, "telco.csv")

# A small left-truncated table with ties, made by a rule anyone can repeat (tests make it too).
i <- 0:399
small <- data.frame(entry = ifelse(i %% 3 == 0, 0, (i * 7) %% 11),
                    length = 1 + (i * 13) %% 9 + (i %% 2),
                    left = as.integer((i * 5) %% 7 < 3),
                    group = c("a", "b", "c")[1 + (i * 11) %% 3],
                    x = ((i * 17) %% 23) / 10)
small$duration <- small$entry + small$length
rows <- list()
s <- summary(survfit(Surv(entry, duration, left) ~ 1, small, conf.type = "log-log"))
for (j in seq_along(s$time)) {
  rows[[paste0("km.", s$time[j], ".survival")]] <- s$surv[j]
  rows[[paste0("km.", s$time[j], ".low")]] <- s$lower[j]
  rows[[paste0("km.", s$time[j], ".high")]] <- s$upper[j]
  rows[[paste0("km.", s$time[j], ".at_risk")]] <- s$n.risk[j]
}
cox <- coxph(Surv(entry, duration, left) ~ factor(group, c("b", "a", "c")) + x, small,
             ties = "efron", control = coxph.control(eps = 1e-11, toler.chol = 1e-12, iter.max = 50))
for (j in 1:3) {
  rows[[paste0("cox.", c("a", "c", "x")[j])]] <- unname(coef(cox)[j])
  rows[[paste0("cox.se.", c("a", "c", "x")[j])]] <- sqrt(diag(vcov(cox)))[[j]]
}
rows[["cox.loglik"]] <- cox$loglik[2]
# The log-rank test is the generalised Cochran-Mantel-Haenszel test over the times of exit.
times <- sort(unique(small$duration[small$left == 1]))
strata <- array(0, c(3, 2, length(times)))
for (j in seq_along(times)) {
  risk <- small[small$entry < times[j] & small$duration >= times[j], ]
  strata[, , j] <- table(factor(risk$group, c("a", "b", "c")),
                         factor(risk$left == 1 & risk$duration == times[j], c(FALSE, TRUE)))
}
strata <- strata[, , apply(strata, 3, sum) > 1]
rows[["logrank"]] <- unname(mantelhaen.test(strata)$statistic)

# The same customers as months: glm with a complementary log-log link, one row a month.
months <- do.call(rbind, lapply(seq_len(nrow(small)), function(j) {
  k <- small$entry[j]:(small$duration[j] - 1)
  data.frame(k = k, event = as.integer(small$left[j] == 1 & k == small$duration[j] - 1),
             group = small$group[j])
}))
months$band <- cut(months$k, c(-1, 0, 2, 5, 11, 23), labels = c("0", "1-2", "3-5", "6-11", "12-23"))
months$band <- relevel(months$band, "6-11")
months$group <- relevel(factor(months$group), names(which.max(table(months$group))))
fit <- glm(event ~ band + group, binomial("cloglog"), months,
           control = glm.control(epsilon = 1e-14, maxit = 100))
for (j in seq_along(coef(fit))) {
  rows[[paste0("hazard.", names(coef(fit))[j])]] <- unname(coef(fit)[j])
  rows[[paste0("hazard.se.", names(coef(fit))[j])]] <- sqrt(diag(vcov(fit)))[[j]]
}
rows[["hazard.loglik"]] <- as.numeric(logLik(fit))
rows[["hazard.months"]] <- nrow(months)
save(rows, "truncated.csv")
cat("R", as.character(getRversion()), "survival", as.character(packageVersion("survival")), "\n")
