# psych's polychoric correlations of the survey in a folder, as benchmarks/drivers.py wants them.
suppressMessages(library(psych))
arguments <- commandArgs(trailingOnly = TRUE)
clock <- function() { used <- proc.time(); c(used[["elapsed"]], sum(used[c(1, 2, 4, 5)])) }
rows <- read.csv(file.path(arguments[2], "survey.csv"))
items <- setdiff(names(rows), "customer_id")
started <- clock()
# each pair by its own margins; an empty cell stays empty
found <- polychoric(rows[items], correct = 0, global = FALSE, smooth = FALSE)$rho
took <- clock() - started
at <- which(upper.tri(found), arr.ind = TRUE)
result <- data.frame(
  what = c("seconds", "cpu", rep("correlation", nrow(at))),
  name = c("fit", "fit", paste(items[at[, 1]], items[at[, 2]])),
  value = c(took, found[at])
)
write.csv(result, arguments[3], row.names = FALSE)
