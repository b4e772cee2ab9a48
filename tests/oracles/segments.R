# Effects of segments under the normal model with a flat prior of mean and spread,
# by adaptive integration over the spread;
# Cochran's Q by lm. Written for the tests, in R 4.2.2: Rscript segments.R > segments.csv
cases <- list(
  schools = list(y = c(28, 8, -3, 7, -1, 1, 18, 12), s = c(15, 10, 16, 11, 9, 11, 10, 18)),
  apart = list(y = c(0.02, 0.05, 0.11, 0.03), s = c(0.008, 0.01, 0.012, 0.02)),
  three = list(y = c(1.0, 3.0, 2.2), s = c(0.7, 0.9, 0.4))
)
cat("name,value\n")
for (name in names(cases)) {
  y <- cases[[name]]$y
  v <- cases[[name]]$s^2
  at <- function(tau) {
    t2 <- tau^2
    w <- 1 / (v + t2)
    m <- sum(w * y) / sum(w)
    # y ~ N(m, v + t2), the mean integrated out: product of densities over that of the mean
    log_l <- sum(dnorm(y, m, sqrt(v + t2), log = TRUE)) - dnorm(0, 0, sqrt(1 / sum(w)), log = TRUE)
    list(l = exp(log_l), m = m, sm = sqrt(1 / sum(w)), t2 = t2, w = w)
  }
  top <- max(sapply((1:999) / 100 * sqrt(min(v)), function(tau) at(tau)$l))
  mean_over <- function(f) {
    whole <- function(g) integrate(Vectorize(function(tau) g(at(tau))), 0, Inf, rel.tol = 1e-10,
                                   subdivisions = 5000)$value
    whole(function(a) a$l / top * f(a)) / whole(function(a) a$l / top)
  }
  put <- function(what, value) cat(sprintf("%s.%s,%.12g\n", name, what, value))
  for (j in seq_along(y)) {
    centre <- function(a) (y[j] / v[j] + a$m / a$t2) / (1 / v[j] + 1 / a$t2)
    spread <- function(a) sqrt(1 / (1 / v[j] + 1 / a$t2) + (v[j] * a$w[j])^2 * a$sm^2)
    chance <- function(x) mean_over(function(a) pnorm(x, centre(a), spread(a)))
    reach <- y[j] + c(-60, 60) * sqrt(max(v))
    put(paste0(j, ".mean"), mean_over(centre))
    put(paste0(j, ".low"), uniroot(function(x) chance(x) - 0.025, reach, tol = 1e-10)$root)
    put(paste0(j, ".high"), uniroot(function(x) chance(x) - 0.975, reach, tol = 1e-10)$root)
  }
  fit <- lm(y ~ 1, weights = 1 / v)
  put("q", sum(weighted.residuals(fit)^2))
  put("p", pchisq(sum(weighted.residuals(fit)^2), length(y) - 1, lower.tail = FALSE))
}
