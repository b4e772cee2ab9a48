# Numbers of base R that tests/test_calibration.py compares with. Run from the repository:
#   Rscript tests/oracles/calibration.R
# Writes calibration.csv beside this script: name,value. The customers are made by a rule that
# anyone can repeat (the test makes them, too), and taken as rows here, as cells there.
options(digits = 15)
i <- 0:119
u <- ((i * 37) %% 83) / 83
cells <- data.frame(chance = 0.01 + 0.6 * u^2, n = 15 + (i * 13) %% 47)
cells$events <- pmin(cells$n, floor(cells$n * cells$chance^1.2 * 1.3 + ((i * 7) %% 5) / 5))
rows <- do.call(rbind, lapply(seq_len(nrow(cells)), function(j) data.frame(
  p = cells$chance[j], y = rep(c(1, 0), c(cells$events[j], cells$n[j] - cells$events[j])))))
p <- rows$p; y <- rows$y; b <- 0.15
out <- list(customers = length(y), events = sum(y), expected = sum(p))

# Austin, Harrell and van Klaveren (2020): restricted cubic spline of three knots, Harrell's basis
z <- log(-log(1 - p))
k <- unname(quantile(z, c(0.1, 0.5, 0.9)))
cube <- function(knot) pmax(z - knot, 0)^3
bent <- (cube(k[1]) - cube(k[2]) * (k[3] - k[1]) / (k[3] - k[2]) +
         cube(k[3]) * (k[2] - k[1]) / (k[3] - k[2])) / (k[3] - k[1])^2
control <- glm.control(epsilon = 1e-14, maxit = 100)
fit <- glm(y ~ z + bent, binomial("cloglog"), control = control)
off <- abs(p - fitted(fit))
out$ici <- mean(off)
out$e50 <- unname(quantile(off, 0.5))
out$e90 <- unname(quantile(off, 0.9))
for (j in 1:3) out[[paste0("knot.", j)]] <- k[j]
for (j in 1:3) out[[paste0("coef.", j)]] <- unname(coef(fit))[j]
for (j in 1:3) out[[paste0("se.", j)]] <- sqrt(vcov(fit)[j, j])
line <- glm(y ~ z, binomial("cloglog"), control = control)
out$slope <- unname(coef(line))[2]
out$slope.se <- sqrt(vcov(line)[2, 2])
line.off <- abs(p - fitted(line))
out$line.ici <- mean(line.off)

# Brier scores and ratios, by hand on the rows
ratio <- function(top, bottom, name) {
  r <- sum(top) / sum(bottom)
  out[[name]] <<- r
  out[[paste0(name, ".se")]] <<- sqrt(sum((top - r * bottom)^2)) / sum(bottom)
}
ratio((y - p)^2, rep(1, length(y)), "brier")
ratio((y - b)^2, rep(1, length(y)), "brier_baseline")
ratio((y - p)^2, (y - b)^2, "brier_ratio")
ratio(y, p, "observed_over_expected")

# Mann-Whitney, and DeLong's error from each customer's share of won comparisons
left <- p[y == 1]; stayed <- p[y == 0]
w <- suppressWarnings(wilcox.test(left, stayed))$statistic
out$auc <- unname(w) / length(left) / length(stayed)
won <- outer(left, stayed, function(a, b) (a > b) + 0.5 * (a == b))
out$auc.se <- sqrt(var(rowMeans(won)) / length(left) + var(colMeans(won)) / length(stayed))

write.csv(data.frame(name = names(out), value = format(unlist(out), digits = 15, trim = TRUE)),
          "tests/oracles/calibration.csv", row.names = FALSE, quote = FALSE)
cat("R", as.character(getRversion()), "\n")
