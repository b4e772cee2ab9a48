# Numbers of R's survival package that tests/test_proportional.py and tests/test_aft.py compare with.
# Run from the repository:
#   Rscript tests/oracles/proportional.R path/to/telco.csv
# Writes proportional_telco.csv and proportional_small.csv beside this script: name,value.
library(survival)
options(digits = 15)
here <- "tests/oracles/"
save <- function(rows, file) write.csv(
  data.frame(name = names(rows), value = format(unlist(rows), digits = 15, trim = TRUE)),
  paste0(here, file), row.names = FALSE, quote = FALSE)
exact <- coxph.control(eps = 1e-11, toler.chol = 1e-12, iter.max = 50)

add_zph <- function(rows, prefix, fit) {
  for (g in c("km", "identity")) {
    table <- cox.zph(fit, transform = g)$table
    for (term in rownames(table)) for (what in colnames(table)) {
      rows[[paste(prefix, "zph", g, term, what, sep = ".")]] <- table[term, what]
    }
  }
  rows
}
add_concordance <- function(rows, prefix, c) {
  rows[[paste0(prefix, ".concordance")]] <- unname(c$concordance)
  rows[[paste0(prefix, ".concordance.se")]] <- sqrt(c$var)
  for (what in c("concordant", "discordant", "tied.x")) {
    rows[[paste0(prefix, ".", what)]] <- c$count[[what]]
  }
  rows
}
add_cox <- function(rows, prefix, fit) {
  for (j in seq_along(coef(fit))) {
    rows[[paste0(prefix, ".", names(coef(fit))[j])]] <- unname(coef(fit)[j])
    rows[[paste0(prefix, ".se.", names(coef(fit))[j])]] <- sqrt(diag(vcov(fit)))[[j]]
  }
  rows[[paste0(prefix, ".loglik")]] <- fit$loglik[2]
  rows
}
add_aft <- function(rows, prefix, formula, data) {
  for (dist in c("weibull", "loglogistic", "lognormal")) {
    fit <- survreg(formula, data, dist = dist, control = survreg.control(rel.tolerance = 1e-12, maxiter = 100))
    name <- paste0(prefix, ".", dist)
    se <- sqrt(diag(vcov(fit)))
    for (j in seq_along(coef(fit))) {
      rows[[paste0(name, ".", names(coef(fit))[j])]] <- unname(coef(fit)[j])
      rows[[paste0(name, ".se.", names(coef(fit))[j])]] <- unname(se[j])
    }
    rows[[paste0(name, ".logscale")]] <- log(fit$scale)
    rows[[paste0(name, ".se.logscale")]] <- unname(se[length(se)])
    rows[[paste0(name, ".loglik")]] <- fit$loglik[2]
    rows[[paste0(name, ".aic")]] <- AIC(fit)
    rows <- add_concordance(rows, name, concordance(fit))
  }
  rows
}

telco <- read.csv(commandArgs(TRUE)[1])
telco <- telco[telco$tenure > 0, ]
telco$left <- as.integer(telco$Churn == "Yes")
telco$InternetService <- relevel(factor(telco$InternetService), "Fiber optic")
fit <- coxph(Surv(tenure, left) ~ Contract + InternetService + MonthlyCharges + SeniorCitizen,
             telco, ties = "efron", control = exact)
rows <- add_cox(list(), "cox", fit)
rows <- add_zph(rows, "cox", fit)
rows <- add_concordance(rows, "cox", concordance(fit))
# categories only, as the monthly model has them
fit <- coxph(Surv(tenure, left) ~ Contract + InternetService, telco, ties = "efron", control = exact)
rows <- add_zph(rows, "discrete", fit)
rows <- add_concordance(rows, "discrete", concordance(fit))

# month-to-month customers with internet, the covariates of the public tutorial
group <- telco[telco$Contract == "Month-to-month" & telco$InternetService != "No", ]
yes <- function(x) as.numeric(x == "Yes")
group <- data.frame(
  tenure = group$tenure, left = group$left, partner = yes(group$Partner),
  lines = yes(group$MultipleLines), dsl = as.numeric(group$InternetService == "DSL"),
  security = yes(group$OnlineSecurity), backup = yes(group$OnlineBackup),
  protection = yes(group$DeviceProtection), support = yes(group$TechSupport),
  bank = as.numeric(group$PaymentMethod == "Bank transfer (automatic)"),
  card = as.numeric(group$PaymentMethod == "Credit card (automatic)"))
rows <- add_aft(rows, "aft", Surv(tenure, left) ~ partner + lines + dsl + security + backup +
                  protection + support + bank + card, group)
save(rows, "proportional_telco.csv")

# The small left-truncated table with ties of survival.R, made by a rule anyone can repeat.
i <- 0:399
small <- data.frame(entry = ifelse(i %% 3 == 0, 0, (i * 7) %% 11),
                    length = 1 + (i * 13) %% 9 + (i %% 2),
                    left = as.integer((i * 5) %% 7 < 3),
                    group = c("a", "b", "c")[1 + (i * 11) %% 3],
                    x = ((i * 17) %% 23) / 10)
small$duration <- small$entry + small$length
fit <- coxph(Surv(entry, duration, left) ~ group + x, small, ties = "efron", control = exact)
rows <- add_zph(list(), "late", fit)
rows <- add_concordance(rows, "late", concordance(fit))
# the same without the late entry: many ties, a few distinct times
fit <- coxph(Surv(length, left) ~ group + x, small, ties = "efron", control = exact)
rows <- add_cox(rows, "ties", fit)
rows <- add_zph(rows, "ties", fit)
rows <- add_concordance(rows, "ties", concordance(fit))
rows <- add_aft(rows, "aft", Surv(length, left) ~ group + x, small)
# logarithm of the time until half have left, at the mean of x, with its error
for (dist in c("weibull", "loglogistic", "lognormal")) {
  fit <- survreg(Surv(length, left) ~ group + x, small, dist = dist,
                 control = survreg.control(rel.tolerance = 1e-12, maxiter = 100))
  at <- data.frame(group = c("a", "b", "c"), x = mean(small$x))
  half <- predict(fit, at, type = "uquantile", p = 0.5, se.fit = TRUE)
  for (j in 1:3) {
    rows[[paste0("aft.", dist, ".median.", at$group[j])]] <- unname(half$fit[j])
    rows[[paste0("aft.", dist, ".median.se.", at$group[j])]] <- unname(half$se.fit[j])
  }
}
save(rows, "proportional_small.csv")
cat("R", as.character(getRversion()), "survival", as.character(packageVersion("survival")), "\n")
