# Numbers of R that tests/test_uplift_average.py compares with: Welch's t.test, and regressions
# with all interactions (Lin 2013) with HC2 errors by sandwich. Run from the repository:
#   Rscript tests/oracles/uplift_average.R path/to/hillstrom.csv.gz
# Writes uplift_average.csv (name,value) and chickwts.csv (R's data: weights of chicks by feed)
# beside this script.
options(digits = 15)
here <- "tests/oracles/"
write.csv(chickwts, paste0(here, "chickwts.csv"), row.names = FALSE, quote = FALSE)
out <- list()
welch <- function(name, treated, control) {
  test <- t.test(treated, control)
  out[[paste0(name, ".effect")]] <<- mean(treated) - mean(control)
  out[[paste0(name, ".low")]] <<- test$conf.int[1]
  out[[paste0(name, ".high")]] <<- test$conf.int[2]
  out[[paste0(name, ".p")]] <<- test$p.value
}
for (feed in setdiff(levels(chickwts$feed), "casein"))
  welch(paste0("chickwts.", feed), chickwts$weight[chickwts$feed == feed],
        chickwts$weight[chickwts$feed == "casein"])

rows <- read.csv(gzfile(commandArgs(TRUE)[1]))
none <- rows[rows$segment == "No E-Mail", ]
for (arm in c("Mens E-Mail", "Womens E-Mail")) for (y in c("visit", "conversion", "spend"))
  welch(paste(arm, y, sep = "."), rows[rows$segment == arm, y], none[[y]])

# all three arms in one regression, covariates less the mean of all customers
covariates <- c("recency", "history", "mens", "womens", "newbie")
x <- scale(rows[covariates], scale = FALSE)
arm <- relevel(factor(rows$segment), "No E-Mail")
for (y in c("visit", "spend")) {
  fit <- lm(rows[[y]] ~ arm * x)
  hc2 <- sqrt(diag(sandwich::vcovHC(fit, "HC2")))
  for (one in c("Mens E-Mail", "Womens E-Mail")) {
    out[[paste("lin", one, y, "effect", sep = ".")]] <- unname(coef(fit)[paste0("arm", one)])
    out[[paste("lin", one, y, "hc2", sep = ".")]] <- unname(hc2[paste0("arm", one)])
  }
}
write.csv(data.frame(name = names(out), value = format(unlist(out), digits = 15, trim = TRUE)),
          paste0(here, "uplift_average.csv"), row.names = FALSE, quote = FALSE)
