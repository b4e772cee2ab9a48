# Numbers of R that tests/test_questions.py compares with. Run from the repository:
#   Rscript tests/oracles/questions.R
# Writes questions.csv beside this script: name,value. The ratio of risks by Mantel and Haenszel
# with the variance of Greenland and Robins, of metafor; the counts are those in the test.
suppressMessages(library(metafor))
options(digits = 15)
events <- c(12, 30, 41, 5); n <- c(210, 640, 900, 33)
events_others <- c(40, 55, 38, 9); n_others <- c(400, 700, 610, 41)
fit <- function(level) rma.mh(
  ai = events, n1i = n, ci = events_others, n2i = n_others, measure = "RR", level = level
)
at95 <- fit(95)
at99 <- fit(99)
values <- c(
  ratio = exp(as.numeric(at95$beta)), low_95 = exp(at95$ci.lb), high_95 = exp(at95$ci.ub),
  low_99 = exp(at99$ci.lb), high_99 = exp(at99$ci.ub),
  # the chance of no difference of two shares, pooled
  p_pooled = prop.test(c(19, 48), c(780, 786), correct = FALSE)$p.value,
  # Newcombe's interval of their difference, from R's Wilson intervals (his method 10)
  {
    w <- function(x, n) prop.test(x, n, correct = FALSE)$conf.int
    a <- w(19, 780); b <- w(48, 786); p <- 19 / 780; q <- 48 / 786
    c(
      difference_low = p - q - sqrt((p - a[1])^2 + (b[2] - q)^2),
      difference_high = p - q + sqrt((a[2] - p)^2 + (q - b[1])^2)
    )
  },
  chisq_sizes = chisq.test(c(600, 530, 470), p = c(0.34, 0.33, 0.33))$p.value
)
write.csv(
  data.frame(name = names(values), value = format(values, digits = 15)),
  "tests/oracles/questions.csv", row.names = FALSE, quote = FALSE
)
