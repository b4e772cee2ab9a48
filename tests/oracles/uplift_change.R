# Numbers of R that tests/test_uplift_disappointed.py compares with: the parts of a change between
# two campaigns, written out plainly, with numDeriv's derivatives, variances from rows and
# Satterthwaite's degrees of freedom; and AER's two-stage least squares for the effect among those
# reached. Run from the repository:
#   Rscript tests/oracles/uplift_change.R
# Writes uplift_change_counts.csv (campaign,group,arm,y,t,n: t is whether reached) and
# uplift_change.csv (name,value) beside this script.
options(digits = 15)
set.seed(20261122)
cells <- expand.grid(arm = c("none", "mail", "sms"), group = c("young", "old"), campaign = 1:2)
size <- c(400, 500, 200, 300, 250, 150, 350, 200, 400, 300, 350, 250)
reach <- ifelse(cells$arm == "none", 0, ifelse(cells$campaign == 1, 0.8, 0.55))
effect <- ifelse(cells$group == "young", 0.15, 0.05) * ifelse(cells$arm == "sms", 0.5, 1)
rows <- do.call(rbind, lapply(seq_len(nrow(cells)), function(i) {
  t <- rbinom(size[i], 1, reach[i])
  y <- rbinom(size[i], 1, 0.2) + rbinom(size[i], 2, effect[i] * t)
  data.frame(cells[i, ], y = y, t = t, row.names = NULL)
}))
counts <- aggregate(n ~ campaign + group + arm + y + t, cbind(rows, n = 1), sum)
write.csv(counts, "tests/oracles/uplift_change_counts.csv", row.names = FALSE, quote = FALSE)

key <- interaction(rows$campaign, rows$group, rows$arm, sep = ".")
theta <- c(tapply(rows$y, key, mean), tapply(rows$t, key, mean))
n <- table(key)
names(theta) <- paste(rep(c("y", "t"), each = length(n)), names(theta), sep = ".")
p <- w <- list()
for (k in 1:2) {
  treated <- n[grepl(paste0("^", k), names(n)) & !grepl("none", names(n))]
  for (g in c("young", "old")) {
    mine <- treated[grepl(g, names(treated))]
    p[[paste(k, g)]] <- sum(mine) / sum(treated)
    for (a in c("mail", "sms"))
      w[[paste(k, g, a)]] <- sum(mine[grepl(a, names(mine))]) / sum(mine)
  }
}
parts <- function(theta) {
  get <- function(what, k, g, a) theta[[paste(what, k, g, a, sep = ".")]]
  diff <- function(what, k, g, a) get(what, k, g, a) - get(what, k, g, "none")
  out <- c(groups = 0, arms = 0, reach = 0, effect = 0)
  total <- c(0, 0)
  for (g in c("young", "old")) {
    e <- c(0, 0)
    pg <- c(p[[paste(1, g)]], p[[paste(2, g)]])
    for (a in c("mail", "sms")) {
      wa <- c(w[[paste(1, g, a)]], w[[paste(2, g, a)]])
      ea <- c(diff("y", 1, g, a), diff("y", 2, g, a))
      ra <- c(diff("t", 1, g, a), diff("t", 2, g, a))
      ca <- ea / ra
      e <- e + wa * ea
      out["arms"] <- out["arms"] + mean(pg) * (wa[2] - wa[1]) * mean(ea)
      out["reach"] <- out["reach"] + mean(pg) * mean(wa) * (ra[2] - ra[1]) * mean(ca)
      out["effect"] <- out["effect"] + mean(pg) * mean(wa) * mean(ra) * (ca[2] - ca[1])
    }
    out["groups"] <- out["groups"] + (pg[2] - pg[1]) * mean(e)
    total <- total + pg * e
  }
  c(out, all = total[2] - total[1], earlier = total[1], later = total[2])
}
value <- parts(theta)
slopes <- numDeriv::jacobian(parts, theta)
out <- list()
for (i in seq_along(value)) {
  each <- sapply(seq_along(n), function(j) {
    mine <- rows[key == names(n)[j], c("y", "t")]
    slope <- slopes[i, c(j, j + length(n))]
    c(t(slope) %*% cov(mine) %*% slope) / n[[j]]
  })
  df <- sum(each)^2 / sum(each^2 / (n - 1))
  half <- qt(0.975, df) * sqrt(sum(each))
  name <- names(value)[i]
  out[[name]] <- value[[i]]
  out[[paste0(name, ".low")]] <- value[[i]] - half
  out[[paste0(name, ".high")]] <- value[[i]] + half
}
# one group and one arm in both campaigns: the effect among those reached, by 2SLS
for (k in 1:2) {
  mine <- rows[rows$campaign == k & rows$group == "young" & rows$arm != "sms", ]
  fit <- AER::ivreg(y ~ t | I(arm == "mail"), data = mine)
  out[[paste0("reached.", k)]] <- coef(fit)[["t"]]
  out[[paste0("share.", k)]] <- mean(mine$t[mine$arm == "mail"])
}
write.csv(data.frame(name = names(out), value = format(unlist(out), digits = 15, trim = TRUE)),
          "tests/oracles/uplift_change.csv", row.names = FALSE, quote = FALSE)
