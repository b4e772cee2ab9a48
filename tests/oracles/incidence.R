# Numbers of R's survival package that tests/test_incidence.py compares with. Run from the
# repository:
#   Rscript tests/oracles/incidence.R
# Writes, beside this script, incidence_counts.csv (simulated here, customers alike in everything
# counted together; exit is empty where censored) and incidence.csv: name,value.
library(survival)
options(digits = 15)
here <- "tests/oracles/"
exits <- c("inactive", "payroll_moved", "closed")

# Months at risk with a hazard for each exit; whole months make ties. Half are seen from later on.
set.seed(1988)
n <- 900
group <- sample(c("east", "north", "west"), n, TRUE, c(0.5, 0.3, 0.2))
hazard <- cbind(0.05 * c(east = 1, north = 1.8, west = 0.7)[group], 0.02, 0.008)
entry <- ifelse(runif(n) < 0.5, 0, sample(1:9, n, TRUE))
end <- entry + sample(1:18, n, TRUE)
duration <- end
exit <- rep(NA_character_, n)
for (month in 0:(max(end) - 1)) {
  here_now <- entry <= month & month < end & is.na(exit)
  drawn <- apply(cbind(1 - rowSums(hazard), hazard), 1, function(p) sample(0:3, 1, prob = p))
  goes <- here_now & drawn > 0
  exit[goes] <- exits[drawn[goes]]
  duration[goes] <- month + 1
}
rows <- data.frame(entry, duration, exit = factor(exit, exits), group)
# a group that is seen only late, a few of them earlier than the others: its curve begins later
late <- data.frame(entry = c(2, 2, 3, sample(4:6, 90, TRUE)), exit = NA, group = "late")
late$duration <- late$entry + c(1, 2, 6, sample(1:9, 90, TRUE))
late$exit <- factor(sample(c(NA, exits), 93, TRUE, c(0.5, 0.3, 0.1, 0.1)), exits)
late$exit[1] <- "inactive"
rows <- rbind(rows, late[names(rows)])
counts <- aggregate(n ~ entry + duration + exit + group,
                    transform(rows, n = 1, exit = ifelse(is.na(exit), "", as.character(exit))), sum)
write.csv(counts, paste0(here, "incidence_counts.csv"), row.names = FALSE, quote = FALSE)

numbers <- list(r = as.character(getRversion()),
                survival = as.character(packageVersion("survival")))
keep <- function(name, value) numbers[[name]] <<- unname(value)
rows$state <- factor(ifelse(is.na(rows$exit), "censored", as.character(rows$exit)),
                     c("censored", exits))

# Each row is a customer, and so a cluster of its own in the infinitesimal jackknife.
curve <- function(name, fit) {
  for (i in seq_along(fit$time)) for (exit in exits) {
    state <- match(exit, fit$states)
    key <- function(what) paste(name, fit$time[i], exit, what, sep = ".")
    keep(key("incidence"), fit$pstate[i, state])
    keep(key("std_error"), fit$std.err[i, state])
    keep(key("low"), fit$lower[i, state])
    keep(key("high"), fit$upper[i, state])
    keep(key("at_risk"), fit$n.risk[i, 1])
  }
}
fitted <- function(data, truncated) {
  formula <- if (truncated) Surv(entry, duration, state) ~ 1 else Surv(duration, state) ~ 1
  survfit(formula, data, id = seq_len(nrow(data)), conf.type = "log-log")
}
first <- rows[rows$entry == 0, ]  # seen from the beginning
many <- rows[rows$group != "late", ]
curve("first", fitted(first, FALSE))
curve("late_entry", fitted(many, TRUE))
for (g in c("east", "north", "west")) curve(g, fitted(many[many$group == g, ], TRUE))
# With fewer than 30 at risk before some month, the curve is that of those still here then.
late <- rows[rows$group == "late", ]
months <- sort(unique(late$duration))
at_risk <- sapply(months, function(m) sum(late$entry < m & late$duration >= m))
most <- which.max(at_risk)
begins <- max(months[seq_len(most - 1)][at_risk[seq_len(most - 1)] < 30])
keep("late.begins", begins)
late <- late[late$duration > begins, ]
late$entry <- pmax(late$entry, begins)
curve("late", fitted(late, TRUE))

# Other exits count as censored. survdiff takes no late entry: there the log-rank test is the
# generalised Cochran-Mantel-Haenszel test over the months of exit.
for (kind in exits) {
  keep(paste("first.logrank", kind, sep = "."),
       survdiff(Surv(duration, state == kind) ~ group, first)$chisq)
  left <- many$state == kind
  groups <- sort(unique(many$group))
  times <- sort(unique(many$duration[left]))
  strata <- array(0, c(length(groups), 2, length(times)))
  for (j in seq_along(times)) {
    risk <- many$entry < times[j] & many$duration >= times[j]
    strata[, , j] <- table(factor(many$group[risk], groups),
                           factor((left & many$duration == times[j])[risk], c(FALSE, TRUE)))
  }
  strata <- strata[, , apply(strata, 3, sum) > 1]
  keep(paste("late_entry.logrank", kind, sep = "."), mantelhaen.test(strata)$statistic)
}
write.csv(data.frame(name = names(numbers), value = sapply(numbers, format, digits = 15)),
          paste0(here, "incidence.csv"), row.names = FALSE, quote = FALSE)
