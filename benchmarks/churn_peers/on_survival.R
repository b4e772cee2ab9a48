# R: survival's coxph and survfit on rows, and glm on customer-months. Reads the data as CSV.
suppressMessages({library(data.table); library(survival)})
given <- commandArgs(trailingOnly = TRUE)
model <- given[1]; folder <- given[2]; out <- given[3]

fixed <- c("age_band", "gender", "region", "products")
terms <- c(fixed, "payroll")
levels_of <- fread(file.path(folder, "levels.csv"), colClasses = "character", na.strings = NULL)
as_factors <- function(rows, of) {
  for (term in of) {
    known <- levels_of$level[levels_of$term == term]
    set(rows, j = term, value = factor(rows[[term]], levels = known))
  }
  rows
}
stays <- function(columns) {
  fread(file.path(folder, "stays.csv"), select = columns, na.strings = "",
        colClasses = list(character = intersect(terms, columns)))
}
named <- function(of) {
  unlist(lapply(of, function(term) paste(term, levels_of$level[levels_of$term == term][-1])))
}
other <- function(payroll) ifelse(payroll == "none", "running", "none")
regression <- function(fit, names) {
  data.frame(what = rep(c("coefficient", "std_error"), each = length(names)), name = names,
             value = c(unname(coef(fit)), sqrt(diag(vcov(fit)))))
}

prepare <- list(
  curve = function() stays(c("duration", "churned")),
  cox = function() as_factors(stays(c("duration", "churned", terms)), terms),
  changing = function() {
    rows <- stays(c("entry", "duration", "churned", "changes_in", terms))
    cut <- !is.na(rows$changes_in) & rows$changes_in < rows$duration
    first <- rows[, c(list(start = entry, stop = fifelse(cut, changes_in, duration),
                           left = churned & !cut), .SD), .SDcols = terms]
    then <- rows[cut, c(list(start = changes_in, stop = duration, left = churned), .SD),
                 .SDcols = terms]
    then[, payroll := other(payroll)]
    as_factors(rbind(first, then), terms)
  },
  monthly = function() {
    rows <- stays(c("entry", "duration", "churned", "changes_in", terms))
    at <- rep(seq_len(nrow(rows)), rows$duration - rows$entry)
    tenure <- sequence(rows$duration - rows$entry) - 1L + rows$entry[at]
    months <- rows[at, ..terms]
    changed <- !is.na(rows$changes_in[at]) & rows$changes_in[at] <= tenure
    months[changed, payroll := other(payroll)]
    bands <- c("0", "1-2", "3-5", "6-11", "12-23")
    months[, tenure_band := bands[findInterval(tenure, c(0, 1, 3, 6, 12))]]
    months[, left := rows$churned[at] & tenure == rows$duration[at] - 1L]
    as_factors(months, c("tenure_band", terms))
  }
)
fit <- list(
  curve = function(rows) {
    found <- survfit(Surv(duration, churned) ~ 1, data = rows, conf.type = "log-log")
    data.frame(what = rep(c("survival", "low", "high"), each = length(found$time)),
               name = found$time, value = c(found$surv, found$lower, found$upper))
  },
  cox = function(rows) {
    found <- coxph(reformulate(terms, "Surv(duration, churned)"), data = rows, ties = "efron")
    regression(found, named(terms))
  },
  changing = function(rows) {
    found <- coxph(reformulate(terms, "Surv(start, stop, left)"), data = rows, ties = "efron")
    regression(found, named(terms))
  },
  monthly = function(rows) {
    found <- glm(reformulate(c("tenure_band", terms), "left"), data = rows,
                 family = binomial("cloglog"), model = FALSE, y = FALSE)
    regression(found, c("constant", named(c("tenure_band", terms))))
  }
)
clock <- function(what) {
  data.frame(what = c("seconds", "cpu"), name = what,
             value = c(took[["elapsed"]], took[["user.self"]] + took[["sys.self"]]))
}
took <- system.time(rows <- prepare[[model]]())
seconds <- clock("prepare")
took <- system.time(estimates <- fit[[model]](rows))
seconds <- rbind(seconds, clock("fit"))
write.csv(format(rbind(seconds, estimates), digits = 16), out, row.names = FALSE)
