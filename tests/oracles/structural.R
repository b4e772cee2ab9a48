# Numbers of R's lavaan that tests/test_scoring.py compares with.
# Run from the repository:
#   Rscript tests/oracles/structural.R
# Writes structural.csv (name,value) and holzinger.csv, the rows, beside this script.
suppressMessages(library(lavaan))
options(digits = 15)

values <- list()
put <- function(name, x) {
  x <- unclass(x)
  if (is.matrix(x)) {
    for (i in seq_len(nrow(x))) for (j in seq_len(ncol(x)))
      values[[paste(name, i, j, sep = ".")]] <<- x[i, j]
  } else if (length(x) > 1) {
    for (i in seq_along(x)) values[[paste(name, i, sep = ".")]] <<- unname(x[i])
  } else values[[name]] <<- unname(x)
}
tight <- list(rel.tol = 1e-14)
regressions <- function(fit, outcome, of) {
  table <- parameterEstimates(fit)
  table <- table[table$op == "~" & table$lhs == outcome, ]
  table[match(of, table$rhs), ]
}

# --- planted: covariances that a model with simple structure tells exactly, so that factors fitted
# to the items alone and a structural model of everything have the same truth and find it
names <- c(paste0("i", 1:9), "c", "y")
load <- matrix(0, 9, 3)
load[cbind(1:9, rep(1:3, each = 3))] <- c(0.9, 0.8, 0.85, 0.7, 0.6, 0.5, 0.45, 0.6, 0.5)
phi <- matrix(c(1, 0.5, 0.3, 0.5, 1, 0.4, 0.3, 0.4, 1), 3)
with_control <- c(0.4, 0.2, 0.1)
effects <- c(0.2, 0.6, 0.5, 0.3) # of the factors and the control
latent <- rbind(cbind(phi, with_control), c(with_control, 1))
dimnames(latent) <- NULL
of_all <- rbind(cbind(load, 0), c(0, 0, 0, 1), t(latent %*% effects) %*% solve(latent))
sigma <- of_all %*% latent %*% t(of_all)
diag(sigma)[1:9] <- 1
sigma[11, 11] <- sigma[11, 11] + 1.5
dimnames(sigma) <- list(names, names)
put("planted.covariance", sigma)
model <- "
  f1 =~ i1 + i2 + i3
  f2 =~ i4 + i5 + i6
  f3 =~ i7 + i8 + i9
  f1 ~~ c
  f2 ~~ c
  f3 ~~ c
  y ~ f1 + f2 + f3 + c
"
fit <- sem(model, sample.cov = sigma, sample.nobs = 500, sample.cov.rescale = FALSE, std.lv = TRUE,
           control = tight)
put("planted.phi", lavInspect(fit, "cov.lv")[1:3, 1:3])
found <- regressions(fit, "y", c("f1", "f2", "f3", "c"))
put("planted.effects", found$est)

# --- real: 301 pupils of Holzinger & Swineford (1939), nine tests, of three kinds; age in months
# stands for an outcome, the school for a control. All standardised with n.
d <- HolzingerSwineford1939
d$school <- as.numeric(d$school == "Pasteur")
d$months <- 12 * d$ageyr + d$agemo
d <- d[, c(paste0("x", 1:9), "school", "months")]
write.csv(format(d, digits = 15, trim = TRUE), "tests/oracles/holzinger.csv", row.names = FALSE,
          quote = FALSE)
n <- nrow(d)
z <- as.data.frame(scale(d) * sqrt(n / (n - 1)))
measured <- "
  visual =~ x1 + x2 + x3
  textual =~ x4 + x5 + x6
  speed =~ x7 + x8 + x9
"
factors <- c("visual", "textual", "speed")
cfa_fit <- cfa(measured, z, std.lv = TRUE)
put("real.loadings", lavInspect(cfa_fit, "est")$lambda)
put("real.uniqueness", diag(lavInspect(cfa_fit, "est")$theta))
# the structure after the measurement (Rosseel & Loh 2022), with Bartlett's map (M.method "ML"):
# what Croon's correction comes to
after <- sam(paste(measured, "months ~ visual + textual + speed + school"), z, std.lv = TRUE,
             mm.list = list(factors), sam.method = "local",
             local.options = list(M.method = "ML"))
put("real.after.effects", regressions(after, "months", c(factors, "school"))$est)
# exploratory, everything at once: another estimator of the same
blocks <- paste(sprintf('efa("e")*%s', factors), collapse = " + ")
items <- paste(paste0("x", 1:9), collapse = " + ")
at_once <- sem(paste(blocks, "=~", items, "\n months ~", paste(factors, collapse = " + "),
                     "+ school\n", paste(factors, "~~ school", collapse = "\n")),
               z, rotation = "oblimin", rotation.args = list(row.weights = "none"))
alone <- cfa(paste(blocks, "=~", items), z, rotation = "oblimin",
             rotation.args = list(row.weights = "none"))
put("real.exploratory.loadings", lavInspect(alone, "est")$lambda[paste0("x", 1:9), factors])
put("real.exploratory.phi", lavInspect(alone, "est")$psi[factors, factors])
found <- regressions(at_once, "months", c(factors, "school"))
put("real.exploratory.effects", found$est)
put("real.exploratory.error", found$se)

# --- answers in classes: their correlation with any variable, against that of the variable behind
# them with it, in two steps (Olsson, Drasgow & Dorans 1982); the ratio is that of the answers to
# what stands behind them
suppressMessages(library(polycor))
classes <- list(two = c(60, 240), three = c(30, 60, 210), five = c(6, 12, 24, 48, 210))
for (name in names(classes)) {
  answer <- rep(seq_along(classes[[name]]), classes[[name]])
  other <- answer + 3 * sin(seq_along(answer))
  put(paste0("behind.", name), cor(other, answer) / polyserial(other, answer, ML = FALSE))
}
frame <- data.frame(name = names(values), value = format(unlist(values), digits = 15, trim = TRUE))
write.csv(frame, "tests/oracles/structural.csv", row.names = FALSE, quote = FALSE)
cat("R", as.character(getRversion()), "lavaan", as.character(packageVersion("lavaan")), "\n")
