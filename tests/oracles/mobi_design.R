# Numbers of R's psych that tests/test_drivers_real.py compares with: how many factors stand behind
# the questions on mobile phones, and which questions go together.
# Run from the repository:
#   Rscript tests/oracles/mobi_design.R path/to/mobi.csv
# Writes mobi_design.csv beside this script: name,value; of group/<factors>/<item> the value is the
# column of the item's largest loading.
suppressMessages({library(psych); library(GPArotation)})
options(mc.cores = 1)
survey <- read.csv(commandArgs(TRUE)[1])
items <- c(paste0("CUEX", 1:3), paste0("PERQ", 1:7), paste0("PERV", 1:2), paste0("IMAG", 1:5))
x <- survey[, items]
set.seed(1)
parallel <- fa.parallel(x, fm = "ml", n.iter = 500, quant = 0.95, plot = FALSE)
values <- c(components = parallel$ncomp, factors = parallel$nfact,
            map = which.min(vss(x, n = 8, plot = FALSE)$map))
for (k in 1:4) {
  fitted <- fa(cor(x), nfactors = k, n.obs = nrow(x), fm = "ml",
               rotate = if (k > 1) "oblimin" else "none")
  group <- max.col(abs(unclass(fitted$loadings)))
  values[paste0("group/", k, "/", items)] <- group
}
here <- dirname(sub("--file=", "", grep("--file=", commandArgs(), value = TRUE)))
write.csv(data.frame(name = names(values), value = values),
          file.path(here, "mobi_design.csv"), row.names = FALSE, quote = FALSE)
