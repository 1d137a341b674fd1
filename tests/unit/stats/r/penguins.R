# Reference values that the tests of the kinds pin, from pingouin's own data sets:
#   Rscript penguins.R FOLDER        FOLDER: pingouin/datasets of the installed package
# What needs a package that is not installed is left out.
options(digits = 16, warn = -1)
folder <- commandArgs(TRUE)[1]
d <- read.csv(file.path(folder, "penguins.csv"), na.strings = c("", "NA"), stringsAsFactors = TRUE)
e <- subset(d, species == "Chinstrap")
show <- function(name, ...) cat(name, format(c(...), digits = 16), "\n")
have <- function(package) requireNamespace(package, quietly = TRUE)
root <- function(f, low, high) uniroot(f, c(low, high), tol = 1e-13)$root
nct <- function(t, df) c(root(function(n) pt(t, df, n) - .975, t - 8, t + 2),
                         root(function(n) pt(t, df, n) - .025, t - 2, t + 8))

cat("\n# test_compare_groups.py\n")
a <- subset(d, species == "Adelie")
x <- with(a, flipper_length_mm[which(sex == "male")])
y <- with(a, flipper_length_mm[which(sex == "female")])
for (equal in c(TRUE, FALSE)) {
  t <- t.test(x, y, var.equal = equal)
  show("t", t$statistic, t$parameter, t$p.value, t$estimate[1] - t$estimate[2], t$conf.int)
  n <- c(length(x), length(y)); v <- c(var(x), var(y)); df <- t$parameter; f <- df
  s2 <- sum((n - 1) * v) / df
  if (!equal) {
    s2 <- mean(v); f <- prod(n - 1) * sum(v)^2 / ((n[2] - 1) * v[1]^2 + (n[1] - 1) * v[2]^2)
  }
  j <- exp(lgamma(f / 2) - lgamma((f - 1) / 2)) / sqrt(f / 2)
  show("g", j * c(t$statistic, nct(t$statistic, df)) * t$stderr / sqrt(s2))
}
w <- wilcox.test(x, y, conf.int = TRUE, tol.root = 1e-10)
show("Mann-Whitney", w$statistic, w$p.value, median(outer(x, y, "-")), w$conf.int)
r1 <- rank(c(x, y))[seq_along(x)]; r2 <- rank(c(x, y))[-seq_along(x)]
p <- (mean(r1) - mean(r2)) / sum(n) + .5
v <- c(var(r1 - rank(x)), var(r2 - rank(y)))
bm <- sum(n * v)^2 / sum((n * v)^2 / (n - 1))
show("Brunner-Munzel", 2 * (p + c(0, -1, 1) * qt(.975, bm) *
  sqrt(v[1] / (n[1] * n[2]^2) + v[2] / (n[2] * n[1]^2))) - 1)
w <- wilcox.test(c(1.1, 2.3, 3.7, 4.9, 8.2), c(0.4, 1.9, 2.6, 5.5, 0.7, 1.3), conf.int = TRUE)
show("exact", w$statistic, w$p.value, w$estimate, w$conf.int)
show("ties", wilcox.test(c(3, 5, 5, 6, 7, 7, 9, 10, 12, 4), c(1, 2, 5, 5, 6, 3, 4, 7, 8, 8, 2),
  conf.int = TRUE)[c("p.value", "conf.int")])
show("Shapiro", shapiro.test(x)$statistic, shapiro.test(x)$p.value)
z <- sort(scale(x)); k <- length(z)
show("Lilliefors D", max(pmax((1:k) / k - pnorm(z), pnorm(z) - (0:(k - 1)) / k)))
for (equal in c(TRUE, FALSE)) {
  o <- oneway.test(body_mass_g ~ species, d, var.equal = equal)
  show("ANOVA", o$statistic, o$parameter, o$p.value)
}
f <- oneway.test(body_mass_g ~ species, d, var.equal = TRUE)$statistic
l <- sapply(c(.975, .025), function(q) root(function(n) pf(f, 2, 339, n) - q, 0, 2000))
show("eta squared", f * 2 / (f * 2 + 339), l / (l + 342))
k <- kruskal.test(body_mass_g ~ species, d)
show("Kruskal-Wallis", k$statistic, k$p.value, k$statistic / 341)
b <- a <- d$body_mass_g[d$species == "Adelie"]
show("Adelie", mean(a, na.rm = TRUE), sd(a, na.rm = TRUE), quantile(a, c(.25, .5, .75), na.rm = TRUE))
for (column in c("sex", "island")) {
  t <- table(d$species, d[[column]]); x2 <- chisq.test(t)
  l <- sapply(c(.975, .025), function(q) if (pchisq(x2$statistic, x2$parameter) < q) 0 else
    root(function(n) pchisq(x2$statistic, x2$parameter, n) - q, 0, 2000))
  show(column, x2$statistic, x2$p.value,
    sqrt(c(x2$statistic, l) / (sum(t) * (min(dim(t)) - 1))))
}
for (c in list(c(25, 14), c(64, 40), c(17, 7), c(22, 5)))
  show("Fisher", fisher.test(rbind(c(c[2], 55 - c[2]), c(c[1], 97 - c[1])))$p.value)
m <- rbind(c(22, 75), c(5, 50))
show("chi-square", chisq.test(m, correct = FALSE)$p.value, chisq.test(m)$p.value,
  chisq.test(m)$statistic)

cat("\n# test_contingency.py\n")
for (t in list(matrix(c(5, 3, 2, 2, 6, 4, 1, 2, 9, 4, 4, 4), 4, byrow = TRUE),
               matrix(c(20, 31, 14, 9, 5, 2), 3, byrow = TRUE),
               matrix(c(3, 1, 0, 2, 4, 2, 2, 5, 1, 0, 0, 3, 1, 1, 6), 3, byrow = TRUE)))
  show("Fisher", fisher.test(t, workspace = 2e8)$p.value)

cat("\n# test_compare_paired.py\n")
x <- e$bill_depth_mm; y <- e$bill_length_mm / 2.6
t <- t.test(y, x, paired = TRUE)
show("paired t", t$statistic, t$p.value, t$estimate, t$conf.int)
show("dz", c(t$statistic, nct(t$statistic, 67)) / sqrt(68))
w <- wilcox.test(y, x, paired = TRUE, conf.int = TRUE, digits.rank = 10, tol.root = 1e-10)
show("Wilcoxon", w$statistic, w$p.value, w$conf.int)
w <- wilcox.test(c(1.1, 2.3, -0.7, 3.9, 0.4, -1.6, 2.9, 5.2, 0.9, -0.2), conf.int = TRUE)
show("exact", w$statistic, w$p.value, w$estimate, w$conf.int)
w <- wilcox.test(c(1.3, 0.5, 2.9, 1.5, 0.2, 6.3, 3.3, 2.9, 1.8, 1.9),
  c(1.1, 0.3, 2.7, 1.0, 0.4, 5.5, 2.2, 3.1, 0.9, 1.7), paired = TRUE, digits.rank = 10)
show("ties in decimals", w$statistic, w$p.value)

cat("\n# test_correlate.py\n")
t <- cor.test(e$flipper_length_mm, e$body_mass_g)
show("Pearson", t$estimate, t$statistic, t$p.value, t$conf.int)
t <- cor.test(e$flipper_length_mm, e$body_mass_g, method = "spearman", exact = FALSE)
r <- t$estimate
show("Spearman", r, t$p.value, tanh(atanh(r) + c(-1, 1) * qnorm(.975) * sqrt((1 + r^2 / 2) / 65)))
r <- cor(resid(lm(flipper_length_mm ~ bill_length_mm + sex, e)),
         resid(lm(body_mass_g ~ bill_length_mm + sex, e)))
t <- r * sqrt(64 / (1 - r^2))
show("partial", r, t, 2 * pt(-abs(t), 64), tanh(atanh(r) + c(-1, 1) * qnorm(.975) / sqrt(63)))

cat("\n# test_post_hoc.py, test_ancova.py\n")
print(TukeyHSD(aov(body_mass_g ~ species, d))$species)
for (method in c("bonferroni", "holm"))
  show(method, pairwise.t.test(d$body_mass_g, d$species, p.adjust.method = method)$p.value)
k <- lm(body_mass_g ~ species + flipper_length_mm + sex, d)
print(drop1(k, test = "F"))
show("slopes", anova(k, lm(body_mass_g ~ species * (flipper_length_mm + sex), d))[2, "Pr(>F)"])
if (have("emmeans")) {
  em <- emmeans::emmeans(k, "species", weights = "proportional")
  print(as.data.frame(em), digits = 16)
  for (method in c("tukey", "bonferroni", "holm"))
    print(as.data.frame(summary(emmeans::contrast(em, "revpairwise", adjust = method),
      infer = TRUE)), digits = 16)
}

cat("\n# test_agreement.py\n")
sf <- matrix(c(9, 2, 5, 8, 6, 1, 3, 2, 8, 4, 6, 8, 7, 1, 2, 6, 10, 5, 6, 9, 6, 2, 4, 7), 6,
             byrow = TRUE)
two <- cbind(e$bill_depth_mm, e$bill_length_mm / 2.6)
if (have("psych")) for (ratings in list(sf, two)) {
  i <- psych::ICC(ratings, lmer = FALSE)$results
  for (row in 1:6) show(i$type[row], unlist(i[row, c("ICC", "lower bound", "upper bound", "F", "p")]))
}
dd <- two[, 2] - two[, 1]; v <- apply(two, 1, var)
show("bias", mean(dd) + c(0, -1, 1) * qt(.975, 67) * sd(dd) / sqrt(68))
for (side in c(-1, 1)) show("limit", mean(dd) + side * qnorm(.975) * sd(dd) + c(0, -1, 1) *
  qt(.975, 67) * sd(dd) * sqrt(1 / 68 + qnorm(.975)^2 / 134))
t <- cor.test(rowMeans(two), dd); show("trend", t$estimate, t$conf.int, t$p.value)
show("SEM", sqrt(mean(v)), sqrt(mean(v)) * sqrt(68 / qchisq(c(.975, .025), 68)))
show("CV", 100 * sqrt(mean(v / rowMeans(two)^2)))

cat("\n# test_linear_regression.py\n")
f <- lm(body_mass_g ~ sex + species + bill_length_mm + flipper_length_mm, d)
print(summary(f)$coefficients); print(confint(f)); print(drop1(f, test = "F"))
show("model", summary(f)$fstatistic, summary(f)$r.squared, summary(f)$adj.r.squared)
if (have("car")) print(car::vif(f))
show("Shapiro", shapiro.test(resid(f))$p.value)
if (have("lmtest")) show("Breusch-Pagan", unlist(lmtest::bptest(f)[c("statistic", "p.value")]))
if (have("metafor")) {
  s <- d; s$se <- 100 + 60 * (seq_len(nrow(d)) %% 7); s$se[5] <- NA
  m <- metafor::rma(body_mass_g, se^2, mods = ~ sex + bill_length_mm, data = s, method = "DL",
                    test = "knha")
  show("metafor", m$tau2, m$QM, m$QMp)
}

cat("\n# test_roc.py\n")
if (have("pROC")) {
  k <- d[!is.na(d$sex), ]
  r1 <- pROC::roc(k$sex, k$bill_length_mm, levels = c("female", "male"), direction = "<")
  r2 <- pROC::roc(k$sex, k$flipper_length_mm, levels = c("female", "male"), direction = "<")
  t <- pROC::roc.test(r1, r2, method = "delong", paired = TRUE)
  show("AUC", pROC::ci.auc(r1), sqrt(pROC::var(r1)))
  show("DeLong", t$statistic, t$p.value, t$conf.int)
}

cat("\n# test_mediation.py\n")
m <- read.csv(file.path(folder, "mediation.csv"))
for (fit in list(lm(M ~ X + W1, m), lm(Y ~ X + M + Mbin + W1, m), lm(Y ~ X + W1, m)))
  print(cbind(summary(fit)$coefficients, confint(fit)))

cat("\n# test_power.py\n")
if (have("pwr")) {
  u <- function(f) uniroot(f, c(.05, .95), tol = 1e-14)$root
  show("t", pwr::pwr.t.test(d = .5, power = .8)$n, pwr::pwr.t2n.test(97, 46, .5)$power,
    u(function(d) pwr::pwr.t2n.test(97, 46, d)$power - .8))
  show("paired", pwr::pwr.t.test(n = 46, d = .4, type = "paired")$power,
    pwr::pwr.t.test(d = .4, power = .9, type = "paired")$n)
  show("r", pwr::pwr.r.test(n = 46, r = -.426)$power, pwr::pwr.r.test(r = .3, power = .8)$n)
}
