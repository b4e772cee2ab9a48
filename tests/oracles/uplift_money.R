# Numbers of R that tests/test_uplift_money.py compares with: Welch's t.test of each customer's
# profit (margin of the spend less the cost of the e-mail), and Fieller's interval of the cost per
# customer won, from its quadratic. Run from the repository:
#   Rscript tests/oracles/uplift_money.R path/to/hillstrom.csv.gz
# Writes uplift_money.csv (name,value) beside this script.
options(digits = 15)
rows <- read.csv(gzfile(commandArgs(TRUE)[1]))
margin <- 0.3
cost <- 0.1
out <- list()
none <- rows[rows$segment == "No E-Mail", ]
for (arm in c("Mens E-Mail", "Womens E-Mail")) {
  mine <- rows[rows$segment == arm, ]
  profit <- t.test(margin * mine$spend - cost, margin * none$spend)
  out[[paste0(arm, ".profit")]] <- unname(profit$estimate[1] - profit$estimate[2])
  out[[paste0(arm, ".profit_low")]] <- profit$conf.int[1]
  out[[paste0(arm, ".profit_high")]] <- profit$conf.int[2]
  # Fieller: all r with (cost - r * effect)^2 <= t^2 * r^2 * se^2, for the cost is known
  won <- t.test(mine$conversion, none$conversion)
  effect <- unname(won$estimate[1] - won$estimate[2])
  square <- (qt(0.975, won$parameter) * won$stderr)^2
  roots <- sort(Re(polyroot(c(cost^2, -2 * cost * effect, effect^2 - square))))
  out[[paste0(arm, ".cac")]] <- cost / effect
  out[[paste0(arm, ".cac_low")]] <- roots[1]
  out[[paste0(arm, ".cac_high")]] <- roots[2]
}
write.csv(data.frame(name = names(out), value = format(unlist(out), digits = 15, trim = TRUE)),
          "tests/oracles/uplift_money.csv", row.names = FALSE, quote = FALSE)
