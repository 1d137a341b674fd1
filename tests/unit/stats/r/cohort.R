# Reference values of tests/unit/stats/test_against_r.py:
#   Rscript cohort.R cohort.tsv > cohort_reference.tsv
# cohort.tsv is what the test simulates (150 participants, two sessions). One line per number:
# analysis, variable, row, where (column=value of that row), column, value, relative tolerance,
# absolute tolerance (ptukey's upper tail is exact to 1e-9 or so).
# A package that is not installed leaves its lines out and says so on stderr.
options(warn = -1)
all <- read.delim(commandArgs(TRUE)[1], na.strings = "n/a", stringsAsFactors = FALSE)
all$group <- factor(all$group, c("HC", "aMCI", "AD"))
all$sex <- factor(all$sex, c("F", "M"))
all$grade <- factor(all$grade, c("none", "mild", "moderate", "many"))
d <- all[all$session_id == "ses-1", ]
out <- function(analysis, variable, row, values, where = "", tol = 1e-6, abs = 1e-12)
  for (name in names(values)) writeLines(paste(analysis, variable, row, where, name,
    sprintf("%.15g", values[[name]]), format(tol), format(abs), sep = "\t"))
trio <- function(part, v) setNames(as.list(as.numeric(v)), paste0(part, c("", "_low", "_high")))
have <- function(package) {
  found <- requireNamespace(package, quietly = TRUE)
  if (!found) message("left out: the package ", package, " is not installed")
  found
}
root <- function(f, low, high) uniroot(f, c(low, high), tol = 1e-13, maxiter = 10000)$root
nc_t <- function(t, df) c(root(function(n) pt(t, df, n) - .975, t - 8, t + 2),
                          root(function(n) pt(t, df, n) - .025, t - 2, t + 8))
nc <- function(p0, start) sapply(c(.975, .025), function(level)
  if (p0(0) <= level) 0 else root(function(n) p0(n) - level, 0, 4 * start + 60))
hedges <- function(x, y, equal = TRUE) {  # y minus x
  n <- c(length(x), length(y)); v <- c(var(x), var(y))
  if (equal) {
    f <- df <- sum(n) - 2; s2 <- sum((n - 1) * v) / df; e <- sqrt(s2 * sum(1 / n))
  } else {
    s2 <- mean(v); e <- sqrt(sum(v / n)); df <- e^4 / sum((v / n)^2 / (n - 1))
    f <- prod(n - 1) * sum(v)^2 / ((n[2] - 1) * v[1]^2 + (n[1] - 1) * v[2]^2)
  }
  t <- (mean(y) - mean(x)) / e
  exp(lgamma(f / 2) - lgamma((f - 1) / 2)) / sqrt(f / 2) * c(t, nc_t(t, df)) * e / sqrt(s2)
}
eta <- function(f, df, rest) {
  l <- nc(function(n) pf(f, df, rest, n), f * df)
  c(f * df / (f * df + rest), l / (l + df + rest + 1))
}
groups <- function(x, g = d$group) lapply(split(x, g), function(v) v[!is.na(v)])
hl <- function(x, y, exact) {  # y minus x
  w <- wilcox.test(y, x, conf.int = TRUE, exact = exact, tol.root = 1e-12)
  c(median(outer(y, x, "-")), w$conf.int)
}
brunner <- function(x, y) {  # 2 P(y > x) - 1, Brunner and Munzel
  n1 <- length(x); n2 <- length(y); r <- rank(c(x, y)); r1 <- r[1:n1]; r2 <- r[-(1:n1)]
  p <- (mean(r2) - mean(r1)) / (n1 + n2) + .5
  v1 <- var(r1 - rank(x)); v2 <- var(r2 - rank(y))
  se <- sqrt(v1 / (n1 * n2^2) + v2 / (n2 * n1^2))
  df <- (n1 * v1 + n2 * v2)^2 / ((n1 * v1)^2 / (n1 - 1) + (n2 * v2)^2 / (n2 - 1))
  pmax(pmin(2 * (p + c(0, -1, 1) * qt(.975, df) * se) - 1, 1), -1)
}
fisher_z <- function(r, n, k = 0, rank = FALSE) {
  e <- sqrt((if (rank) 1 + r^2 / 2 else 1) / (n - 3 - k))
  c(r, tanh(atanh(r) + c(-1, 1) * qnorm(.975) * e))
}

# --- descriptions and three groups
for (name in c("alps", "age", "moca")) {
  x <- groups(d[[name]])
  for (g in names(x)) {
    s <- shapiro.test(x[[g]])
    out("anova", name, "summary", list(n = length(x[[g]]), mean = mean(x[[g]]), sd = sd(x[[g]]),
      median = median(x[[g]]), q1 = quantile(x[[g]], .25), q3 = quantile(x[[g]], .75),
      normality_statistic = s$statistic, normality_p = s$p.value), paste0("group=", g))
  }
  a <- oneway.test(d[[name]] ~ d$group, var.equal = TRUE)
  out("anova", name, "test", c(list(statistic = a$statistic, df = a$parameter[1],
    df_error = a$parameter[2], p = a$p.value), trio("effect", eta(a$statistic, a$parameter[1],
    a$parameter[2]))))
  h <- TukeyHSD(aov(d[[name]] ~ d$group))[[1]]
  for (pair in rownames(h)) out("anova", name, "post_hoc", c(trio("estimate", h[pair, 1:3]),
    list(p_adjusted = h[pair, 4])), paste0("contrast=", sub("-", " - ", pair)), abs = 2e-9)
  a <- oneway.test(d[[name]] ~ d$group)
  out("welch", name, "test", c(list(statistic = a$statistic, df = a$parameter[1],
    df_error = a$parameter[2], p = a$p.value), trio("effect", eta(a$statistic, a$parameter[1],
    a$parameter[2]))))
  for (pair in list(c(1, 2), c(1, 3), c(2, 3))) {  # Games and Howell
    y <- x[[pair[2]]]; z <- x[[pair[1]]]
    t <- t.test(y, z); se <- unname(t$stderr)
    half <- qtukey(.95, 3, t$parameter) / sqrt(2) * se
    m <- mean(y) - mean(z)
    out("welch", name, "post_hoc", c(list(statistic = t$statistic, df = t$parameter,
      p_adjusted = ptukey(abs(t$statistic) * sqrt(2), 3, t$parameter, lower.tail = FALSE)),
      trio("estimate", c(m, m - half, m + half)), trio("effect", hedges(z, y, FALSE))),
      paste0("contrast=", names(x)[pair[2]], " - ", names(x)[pair[1]]), abs = 2e-9)
  }
  t <- pairwise.t.test(d[[name]], d$group, p.adjust.method = "holm")$p.value
  for (i in 1:2) for (j in 1:i) out("pairs", name, "post_hoc", list(p_adjusted = t[i, j]),
    paste0("contrast=", rownames(t)[i], " - ", colnames(t)[j]))
}
for (name in c("volume", "moca")) {
  x <- groups(d[[name]])
  k <- kruskal.test(d[[name]], d$group)
  n <- sum(lengths(x))
  out("kruskal", name, "test", list(statistic = k$statistic, df = k$parameter, p = k$p.value,
    effect = k$statistic / (n - 1)))
  r <- rank(unlist(x)); parts <- split(r, rep(1:3, lengths(x)))
  ties <- table(r); v <- (n * (n + 1) - sum(ties^3 - ties) / (n - 1)) / 12
  pairs <- list(c(1, 2), c(1, 3), c(2, 3))
  z <- sapply(pairs, function(p) (mean(parts[[p[2]]]) - mean(parts[[p[1]]])) /
    sqrt(v * (1 / length(parts[[p[1]]]) + 1 / length(parts[[p[2]]]))))
  p <- 2 * pnorm(-abs(z)); holm <- p.adjust(p, "holm")
  for (i in 1:3) out("kruskal", name, "post_hoc", c(list(statistic = z[i], p = p[i],
    p_adjusted = holm[i]), trio("estimate", hl(x[[pairs[[i]][1]]], x[[pairs[[i]][2]]], FALSE)),
    trio("effect", brunner(x[[pairs[[i]][1]]], x[[pairs[[i]][2]]]))),
    paste0("contrast=", names(x)[pairs[[i]][2]], " - ", names(x)[pairs[[i]][1]]))
}

# --- two groups
for (name in c("alps", "moca", "volume")) {
  x <- groups(d[[name]]); hc <- x$HC; ad <- x$AD
  t <- t.test(ad, hc, var.equal = TRUE)
  out("student", name, "test", c(list(statistic = t$statistic, df = t$parameter, p = t$p.value),
    trio("estimate", c(mean(ad) - mean(hc), t$conf.int)), trio("effect", hedges(hc, ad))))
  t <- t.test(ad, hc)
  out("welch_t", name, "test", c(list(statistic = t$statistic, df = t$parameter, p = t$p.value),
    trio("estimate", c(mean(ad) - mean(hc), t$conf.int)), trio("effect", hedges(hc, ad, FALSE))))
  exact <- !anyDuplicated(c(ad, hc)) && max(length(ad), length(hc)) < 50
  w <- wilcox.test(ad, hc)
  out("mann_whitney", name, "test", c(list(statistic = w$statistic, p = w$p.value),
    trio("estimate", hl(hc, ad, exact)), trio("effect", brunner(hc, ad))))
}

# --- levels
for (name in c("sex", "grade")) {
  t <- table(d$group, d[[name]])
  x2 <- chisq.test(t, correct = FALSE)
  l <- nc(function(n) pchisq(x2$statistic, x2$parameter, n), x2$statistic)
  v <- sqrt(c(x2$statistic, l) / (sum(t) * (min(dim(t)) - 1)))
  out("levels", name, "test", c(list(statistic = x2$statistic, df = x2$parameter, p = x2$p.value),
    trio("effect", v)))
  out("fisher", name, "test", list(p = fisher.test(t, workspace = 2e8)$p.value))
}
t <- table(factor(d$group[d$group != "aMCI"]), d$sex[d$group != "aMCI"])[, c("M", "F")]
p <- t[, 1] / rowSums(t)
wilson <- function(x, n) { z <- qnorm(.975)
  ((x + z^2 / 2) + c(-1, 1) * z * sqrt(x * (n - x) / n + z^2 / 4)) / (n + z^2) }
w1 <- wilson(t[1, 1], sum(t[1, ])); w2 <- wilson(t[2, 1], sum(t[2, ])); g <- p[2] - p[1]
cond <- function(u) {  # P(cell) under odds ratio u, given the margins
  s <- 0:colSums(t)[1]
  s <- s[s <= rowSums(t)[2] & colSums(t)[1] - s <= rowSums(t)[1]]
  logs <- lchoose(rowSums(t)[2], s) + lchoose(rowSums(t)[1], colSums(t)[1] - s) + s * log(u)
  list(s = s, q = exp(logs - max(logs)) / sum(exp(logs - max(logs))))
}
tail <- function(u, upper) { z <- cond(u); sum(z$q[if (upper) z$s >= t[2, 1] else z$s <= t[2, 1]]) }
or <- c(root(function(u) { z <- cond(exp(u)); sum(z$q * z$s) - t[2, 1] }, -9, 9),
        root(function(u) tail(exp(u), TRUE) - .025, -9, 9),
        root(function(u) tail(exp(u), FALSE) - .025, -9, 9))
out("two_levels", "sex", "test", c(list(p = fisher.test(t)$p.value), trio("effect", exp(or)),
  trio("estimate", c(g, g - sqrt((p[2] - w2[1])^2 + (w1[2] - p[1])^2),
                     g + sqrt((w2[2] - p[2])^2 + (p[1] - w1[1])^2)))))

# --- ANCOVA
c1 <- d[complete.cases(d[c("alps", "age", "sex", "education")]), ]
m <- lm(alps ~ group + age + sex + education, c1)
a <- drop1(m, test = "F")
f <- function(term) list(statistic = a[term, "F value"], p = a[term, "Pr(>F)"],
                         df = a[term, "Df"], df_error = df.residual(m))
out("ancova", "alps", "test", c(f("group"), list(n = nrow(c1)), trio("effect",
  eta(a["group", "F value"], 2, df.residual(m)))))
for (term in c("age", "sex", "education"))
  out("ancova", "alps", "covariate", c(f(term), trio("effect", eta(a[term, "F value"],
    a[term, "Df"], df.residual(m)))), paste0("level=", term))
if (have("emmeans")) {
  em <- emmeans::emmeans(m, "group", weights = "proportional")
  s <- summary(em)
  for (i in 1:3) out("ancova", "alps", "summary", list(adjusted_mean = s$emmean[i],
    adjusted_se = s$SE[i], adjusted_low = s$lower.CL[i], adjusted_high = s$upper.CL[i]),
    paste0("group=", s$group[i]))
  pairs <- emmeans::contrast(em, "revpairwise", adjust = "bonferroni")
  s <- summary(pairs, infer = TRUE)
  for (i in 1:3) out("ancova", "alps", "post_hoc", c(list(statistic = s$t.ratio[i],
    p_adjusted = s$p.value[i]), trio("estimate", s[i, c("estimate", "lower.CL", "upper.CL")])),
    paste0("contrast=", s$contrast[i]))
}

# --- pairs of variables, factors
dd <- d$alps_right - d$alps_left
t <- t.test(dd)
dz <- c(t$statistic, nc_t(t$statistic, t$parameter)) / sqrt(length(dd))
out("paired", "alps_right", "test", c(list(statistic = t$statistic, df = t$parameter,
  p = t$p.value), trio("estimate", c(mean(dd), t$conf.int)), trio("effect", dz)))
w <- wilcox.test(dd, conf.int = TRUE, digits.rank = 10, tol.root = 1e-12)
walsh <- outer(dd[signif(dd, 10) != 0], dd[signif(dd, 10) != 0], "+") / 2
r <- rank(signif(abs(dd[signif(dd, 10) != 0]), 10)); plus <- sum(r[dd[signif(dd, 10) != 0] > 0])
out("wilcoxon", "alps_right", "test", list(statistic = w$statistic, p = w$p.value,
  estimate = median(walsh[upper.tri(walsh, TRUE)]), estimate_low = w$conf.int[1],
  estimate_high = w$conf.int[2], effect = 2 * plus / sum(r) - 1))
for (name in c("sex", "grade")) {
  x <- groups(d$alps, d[[name]])
  if (name == "sex") {
    t <- t.test(x$M, x$F, var.equal = TRUE)
    out("factors", "alps", "test", c(list(statistic = t$statistic, p = t$p.value),
      trio("effect", hedges(x$F, x$M))), "factor=sex")
  } else {
    a <- oneway.test(d$alps ~ d$grade, var.equal = TRUE)
    out("factors", "alps", "test", list(statistic = a$statistic, p = a$p.value), "factor=grade")
  }
}

# --- correlations
pairs <- list(c("alps", "age"), c("alps", "moca"), c("age", "moca"))
for (pair in pairs) {
  where <- paste0("other=", pair[2])
  x <- d[complete.cases(d[pair]), pair]
  t <- cor.test(x[, 1], x[, 2])
  out("pearson", pair[1], "test", c(list(statistic = t$statistic, df = t$parameter, p = t$p.value),
    trio("estimate", c(t$estimate, t$conf.int))), where)
  r <- cor(rank(x[, 1]), rank(x[, 2])); n <- nrow(x); s <- r * sqrt((n - 2) / (1 - r^2))
  out("spearman", pair[1], "test", c(list(statistic = s, df = n - 2, p = 2 * pt(-abs(s), n - 2)),
    trio("estimate", fisher_z(r, n, 0, TRUE))), where)
  names <- setdiff(c(pair, "education", "grade"), "")
  x <- d[complete.cases(d[names]), names]
  z <- model.matrix(~ education + grade, x)
  for (kind in c("partial", "partial_ranks")) {
    v <- x[pair]; u <- z
    if (kind == "partial_ranks") { v <- sapply(v, rank); u <- cbind(1, apply(z[, -1], 2, rank)) }
    v <- as.matrix(v)
    r <- cor(resid(lm.fit(u, v[, 1])), resid(lm.fit(u, v[, 2])))
    k <- ncol(z) - 1; df <- nrow(x) - 2 - k; s <- r * sqrt(df / (1 - r^2))
    out(kind, pair[1], "test", c(list(statistic = s, df = df, p = 2 * pt(-abs(s), df)),
      trio("estimate", fisher_z(r, nrow(x), k, kind == "partial_ranks"))), where)
  }
}

# --- agreement
two <- d[complete.cases(d[c("rater1", "rater2")]), c("rater1", "rater2")]
if (have("psych")) {
  i <- psych::ICC(two, lmer = FALSE)$results
  forms <- c("1,1", "2,1", "3,1", "1,k", "2,k", "3,k")
  for (k in 1:6) out("agreement", "rater1", if (k == 2) "test" else "icc", c(trio("estimate",
    i[k, c("ICC", "lower bound", "upper bound")]), list(statistic = i$F[k], df = i$df1[k],
    df_error = i$df2[k], p = i$p[k])), paste0("test=ICC(", forms[k], ")"))
}
dd <- two[, 2] - two[, 1]; n <- length(dd); s <- sd(dd)
t <- t.test(dd)
out("agreement", "rater1", "bias", c(trio("estimate", c(mean(dd), t$conf.int)),
  list(statistic = t$statistic, p = t$p.value)))
wide <- qt(.975, n - 1) * s * sqrt(1 / n + qnorm(.975)^2 / (2 * (n - 1)))
for (side in c(-1, 1)) out("agreement", "rater1", if (side < 0) "limit_low" else "limit_high",
  trio("estimate", mean(dd) + side * qnorm(.975) * s + c(0, -1, 1) * wide))
v <- apply(two, 1, var); df <- n
scale <- c(1, sqrt(df / qchisq(c(.975, .025), df)))
out("agreement", "rater1", "sem", trio("estimate", sqrt(mean(v)) * scale))
out("agreement", "rater1", "mdc", trio("estimate", qnorm(.975) * sqrt(2) * sqrt(mean(v)) * scale))
out("agreement", "rater1", "cv", trio("estimate", 100 * sqrt(mean(v / rowMeans(two)^2)) * scale))

# --- linear and logistic regression
m <- lm(alps ~ age + sex + grade, d)
s <- coef(summary(m)); ci <- confint(m)
f <- summary(m)$fstatistic
out("linear", "NA", "model", c(list(statistic = f[1], df = f[2], df_error = f[3],
  p = pf(f[1], f[2], f[3], lower.tail = FALSE), r2_adjusted = summary(m)$adj.r.squared),
  trio("effect", eta(f[1], f[2], f[3]))))
used <- model.frame(m)
line <- function(analysis, variable, row, term, where = "") out(analysis, variable, row,
  c(trio("estimate", c(s[term, 1], ci[term, ])), list(se = s[term, 2], statistic = s[term, 3],
    p = s[term, 4], effect = s[term, 1] * sd(model.matrix(m)[, term]) / sd(used$alps))), where)
line("linear", "age", "test", "age"); line("linear", "sex", "test", "sexM")
for (g in levels(d$grade)[-1]) line("linear", "grade", "level", paste0("grade", g),
                                    paste0("level=", g))
a <- drop1(m, test = "F")
out("linear", "grade", "test", c(list(statistic = a["grade", "F value"], df = 3,
  p = a["grade", "Pr(>F)"]), trio("effect", eta(a["grade", "F value"], 3, df.residual(m)))))
w <- shapiro.test(resid(m))
out("linear", "NA", "diagnostic", list(statistic = w$statistic, p = w$p.value), "statistic_name=W")
if (have("lmtest")) {
  b <- lmtest::bptest(m)
  out("linear", "NA", "diagnostic", list(statistic = b$statistic, df = b$parameter,
    p = b$p.value), "statistic_name=chi2")
}
if (have("car")) {
  v <- car::vif(m)
  for (name in c("age", "sex", "grade")) out("linear", name, "test", list(vif = v[name, 1]))
}
d$y <- as.numeric(d$event == "yes")
g <- glm(y ~ age + alps + sex, binomial, d, epsilon = 1e-14)
s <- coef(summary(g)); ci <- confint.default(g)
used <- model.frame(g); null <- glm(y ~ 1, binomial, used)
lr <- as.numeric(2 * (logLik(g) - logLik(null)))
n <- nrow(used)
out("logistic", "NA", "model", list(statistic = lr, df = 3, p = pchisq(lr, 3, lower.tail = FALSE),
  n = n, effect = (1 - exp(-lr / n)) / (1 - exp(2 * as.numeric(logLik(null)) / n))))
for (term in c("age", "alps", "sexM")) out("logistic", sub("M", "", term), "test",
  c(list(coefficient = s[term, 1], se = s[term, 2], statistic = s[term, 3], p = s[term, 4]),
    trio("estimate", exp(c(s[term, 1], ci[term, ])))))
q <- cut(fitted(g), quantile(fitted(g), 0:10 / 10), include.lowest = TRUE)
o <- tapply(used$y, q, sum); e <- tapply(fitted(g), q, sum); size <- as.numeric(table(q))
x2 <- sum((o - e)^2 / (e * (1 - e / size)))
out("logistic", "NA", "fit", list(statistic = x2, df = 8, p = pchisq(x2, 8, lower.tail = FALSE)),
  "test=Hosmer-Lemeshow test")
out("logistic", "NA", "fit", list(estimate = mean((fitted(g) - used$y)^2)),
  "estimate_name=Brier score")
source(file.path(dirname(sub("--file=", "", grep("--file=", commandArgs(), value = TRUE))),
                 "firth_functions.R"))
x <- model.matrix(~ age + carrier, d)[, -1]  # nobody without the event carries it
y <- d$y[!is.na(d$age)]
b <- firth(cbind(x[, 1], x[, 2]), y)
for (i in 1:2) out("firth", c("age", "carrier")[i], "test", c(list(coefficient = b[i, 1],
  statistic = b[i, 4], p = pchisq(b[i, 4], 1, lower.tail = FALSE)),
  trio("estimate", exp(b[i, 1:3]))), tol = 1e-5)

# --- mediation, curves, power
c2 <- d[complete.cases(d[c("epvs", "alps", "moca", "age")]), ]
a <- lm(alps ~ epvs + age, c2); b <- lm(moca ~ epvs + alps + age, c2); t <- lm(moca ~ epvs + age, c2)
path <- function(name, variable, fit, term) { s <- coef(summary(fit))[term, ]
  out("mediation", variable, "path", c(list(statistic = s[3], p = s[4], se = s[2],
    df = df.residual(fit)), trio("estimate", c(s[1], confint(fit)[term, ]))),
    paste0("path=", name)) }
path("a", "alps", a, "epvs"); path("b", "alps", b, "alps"); path("c", "epvs", t, "epvs")
path("c'", "epvs", b, "epvs")
sa <- coef(summary(a))["epvs", ]; sb <- coef(summary(b))["alps", ]
z <- sa[1] * sb[1] / sqrt(sa[1]^2 * sb[2]^2 + sb[1]^2 * sa[2]^2)
out("mediation", "alps", "test", list(estimate = sa[1] * sb[1], sobel_z = z,
  sobel_p = 2 * pnorm(-abs(z))))
if (have("pROC")) {
  one <- pROC::roc(d$y, d$alps, direction = ">", quiet = TRUE)
  two <- pROC::roc(d$y, d$volume, direction = "<", quiet = TRUE)
  for (r in list(list("alps", one), list("volume", two))) {
    ci <- pROC::ci.auc(r[[2]])
    out("roc", r[[1]], "test", trio("estimate", ci[c(2, 1, 3)]))
    best <- pROC::coords(r[[2]], "best", best.method = "youden", transpose = FALSE)
    out("roc", r[[1]], "cutoff", list(sensitivity = best$sensitivity[1],
      specificity = best$specificity[1]))
  }
  both <- !is.na(d$volume)
  t <- pROC::roc.test(pROC::roc(d$y[both], d$alps[both], direction = ">", quiet = TRUE),
    pROC::roc(d$y[both], d$volume[both], direction = "<", quiet = TRUE), method = "delong")
  out("roc", "alps", "comparison", list(statistic = t$statistic, p = t$p.value),
    "contrast=alps - volume")
}
if (have("pwr")) {
  n <- c(sum(d$group == "HC" & !is.na(d$alps)), sum(d$group == "AD" & !is.na(d$alps)))
  out("power", "alps", "power", list(estimate = pwr::pwr.t2n.test(n[1], n[2], .5)$power))
  out("power", "alps", "detectable", list(estimate = pwr::pwr.t2n.test(n[1], n[2],
    power = .8)$d), tol = 1e-4)
  r <- pwr::pwr.r.test(r = .3, power = .9)
  out("power_r", "NA", "sample_size", list(estimate = r$n), tol = 1e-4)
}

# --- counts, ordered levels, sessions
if (have("MASS")) {
  m <- MASS::glm.nb(epvs ~ age + sex, d, control = glm.control(epsilon = 1e-12, maxit = 100))
  s <- coef(summary(m))
  for (term in c("age", "sexM")) out("counts", sub("M", "", term), "test",
    list(coefficient = s[term, 1]), tol = 1e-5)
}
if (have("ordinal")) {
  m <- ordinal::clm(factor(mrs) ~ alps + age, data = d, control = list(gradTol = 1e-12))
  s <- coef(summary(m))
  for (term in c("alps", "age")) out("ordinal", term, "test", list(coefficient = s[term, 1],
    se = s[term, 2], p = s[term, 4]), tol = 1e-5)
}
if (have("lmerTest")) {
  m <- lmerTest::lmer(alps ~ time + group + (1 | participant_id), all)
  s <- coef(summary(m))
  out("mixed", "time", "test", list(estimate = s["time", 1], se = s["time", 2],
    df = s["time", 3], p = s["time", 5]), tol = 1e-4)
}
later <- all[all$session_id == "ses-2", ]
both <- merge(d, later, by = "participant_id")
both$change <- both$alps.y - both$alps.x
t <- t.test(both$change[both$group.x == "AD"], both$change[both$group.x == "HC"], var.equal = TRUE)
out("change", "alps", "test", list(statistic = t$statistic, p = t$p.value))

# --- two factors, three measures
if (have("car")) {
  a <- car::Anova(lm(alps ~ group * sex, d), type = 2)
  names <- c("group", "sex", "group:sex")
  for (i in 1:3) out("factorial", "alps", "test", list(statistic = a[i, "F value"],
    df = a[i, "Df"], p = a[i, "Pr(>F)"]), paste0("term=", names[i]))
}
f <- friedman.test(as.matrix(d[c("alps", "alps_left", "alps_right")]))
out("friedman", "alps", "test", list(statistic = f$statistic, df = f$parameter, p = f$p.value))
