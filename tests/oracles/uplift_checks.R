# Balance, power and evidence under repeated looks, by R's own functions.
# Run from the repository:
#   Rscript tests/oracles/uplift_checks.R
# Writes uplift_checks.csv (name,value), mtcars.csv and iris.csv (the rows) beside this script.
# No package but base R's.
options(digits = 15)
here <- "tests/oracles/"
rows <- list()

# balance: three arms of mtcars (by cyl), and two (by am): Pillai's trace of manova, and lots redrawn
pillai <- function(arm, x) summary(manova(x ~ factor(arm)), test = "Pillai")$stats[1, "Pillai"]
x <- as.matrix(mtcars[, c("mpg", "hp", "qsec")])
rows[["pillai.cyl"]] <- pillai(mtcars$cyl, x)
rows[["pillai.am"]] <- pillai(mtcars$am, x)
# Hansen and Bowers (2008): d' V^-1 d with V = S n / (m (n - m)), S the variance of all rows
m <- sum(mtcars$am)
n <- nrow(mtcars)
write.csv(mtcars[, c("cyl", "am", "mpg", "hp", "qsec")], paste0(here, "mtcars.csv"), row.names = FALSE)
write.csv(iris[, 1:4], paste0(here, "iris.csv"), row.names = FALSE)
d <- colMeans(x[mtcars$am == 1, ]) - colMeans(x[mtcars$am == 0, ])
rows[["d2.am"]] <- c(t(d) %*% solve(var(x) * n / (m * (n - m))) %*% d)
# the chance by lots redrawn, of 90 rows of iris that are split by row number, not by species
x <- as.matrix(iris[, 1:4])
arm <- (1:150 * 7) %% 3
set.seed(1)
seen <- pillai(arm, x)
redrawn <- replicate(4000, pillai(sample(arm), x))
rows[["pillai.iris"]] <- seen
rows[["p.iris"]] <- mean(redrawn >= seen)
rows[["mean.iris"]] <- mean(redrawn) * 149

# power
strict <- function(...) power.prop.test(..., strict = TRUE)$power
rows[["prop.power"]] <- strict(n = 1000, p1 = 0.10, p2 = 0.13)
rows[["prop.n"]] <- power.prop.test(p1 = 0.10, p2 = 0.13, power = 0.8, strict = TRUE, tol = 1e-12)$n
rows[["prop.p2"]] <- power.prop.test(n = 1000, p1 = 0.10, power = 0.8, strict = TRUE, tol = 1e-12)$p2
rows[["t.power"]] <- power.t.test(n = 20000, delta = 0.5, sd = 20, strict = TRUE)$power
rows[["t.delta"]] <- power.t.test(n = 20000, sd = 20, power = 0.8, strict = TRUE, tol = 1e-12)$delta
rows[["t.n"]] <- power.t.test(delta = 0.5, sd = 20, power = 0.8, strict = TRUE, tol = 1e-9)$n

# (dt with a noncentral parameter warns of its own precision far out, where the weight is nil)
# evidence: the likelihood of t, mixed over effects, over that without an effect, by integration
evidence <- function(t, n, g, df) {
  wide <- sqrt(n / g)
  mixed <- integrate(function(d) dt(t, df, ncp = d) * dnorm(d, 0, wide), -37, 37,
    rel.tol = 1e-10, subdivisions = 2000L)$value
  log(mixed / dt(t, df))
}
rows[["evidence.1"]] <- evidence(2.5, 100, 20, 98)
rows[["evidence.2"]] <- evidence(-3.1, 500, 100, 40)
rows[["evidence.3"]] <- evidence(0.4, 80, 50, 12)
# in the limit: a normal estimate
mixed <- integrate(function(d) dnorm(2.8, d) * dnorm(d, 0, 3), -40, 40, rel.tol = 1e-12)$value
rows[["evidence.limit"]] <- log(mixed / dnorm(2.8)) # n / g = 9
write.csv(data.frame(name = names(rows), value = format(unlist(rows), digits = 15, trim = TRUE)),
  paste0(here, "uplift_checks.csv"), row.names = FALSE, quote = FALSE)
