# Rank-weighted average treatment effects by the definitions in Yadlowsky and others (2021), rank by
# rank; standard errors over every half of eight rows; a robust line by lm and sandwich.
# Run from the repository:
#   Rscript tests/oracles/ranking.R
# Writes ranking.csv (name,value) and ranking_rows.csv beside this script.
options(digits = 15)
here <- "tests/oracles/"
set.seed(20)
n <- 60
d <- data.frame(propensity = sample(c(0.3, 0.5, 0.6), n, TRUE), mu0 = round(runif(n), 3))
d$mu1 <- round(d$mu0 + runif(n, -0.2, 0.4), 3)
d$arm <- as.integer(runif(n) < d$propensity)
d$outcome <- round(d$mu0 + d$arm * 0.2 + rnorm(n), 3)
d$priority <- round(rnorm(n), 2)
d$tied <- round(d$priority)
score <- function(d) {
  ifelse(d$arm == 1, d$mu1 - d$mu0 + (d$outcome - d$mu1) / d$propensity,
         d$mu1 - d$mu0 - (d$outcome - d$mu0) / (1 - d$propensity))
}
rate <- function(score, priority) {
  n <- length(score)
  score <- ave(score, priority) # the mean of those alike
  score <- score[order(-priority)]
  toc <- sapply(1:n, function(j) mean(score[1:j])) - mean(score)
  c(autoc = sum(toc) / n, qini = sum(toc * (1:n) / n) / n, toc = toc[[n / 2]])
}
rows <- list()
gamma <- score(d)
for (which in c("priority", "tied")) {
  for (some in list(d, d[1:8, ])) {
    k <- nrow(some)
    g <- gamma[1:k]
    at <- rate(g, some[[which]])
    for (one in names(at)) rows[[paste(which, k, one, sep = ".")]] <- at[[one]]
    if (k == 8) {
      halves <- combn(8, 4, function(h) rate(g[h], some[[which]][h]))
      rownames(halves) <- names(at)
      for (one in c("autoc", "qini")) # every half is as likely: no n - 1
        rows[[paste(which, k, one, "error", sep = ".")]] <-
          sqrt(mean((halves[one, ] - mean(halves[one, ]))^2))
    }
  }
}
rows[["effect"]] <- mean(gamma)
fit <- lm(gamma ~ d$priority)
rows[["slope"]] <- coef(fit)[[2]]
rows[["slope.error"]] <- sqrt(sandwich::vcovHC(fit, type = "HC1")[2, 2])
write.csv(data.frame(name = names(rows), value = format(unlist(rows), digits = 15, trim = TRUE)),
          paste0(here, "ranking.csv"), row.names = FALSE, quote = FALSE)
write.csv(d, paste0(here, "ranking_rows.csv"), row.names = FALSE, quote = FALSE)
