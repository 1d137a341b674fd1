# Reference values of the tests of ordinal_regression, count_regression and what follows them.
# Rscript tests/unit/stats/r/kinds.R (R 4.2 with MASS, ordinal and lmerTest). `d` is the fixture `cohort`.
library(MASS)
options(digits = 12)
i <- 1:120
u <- ((i * 7919) %% 1009 + 0.5) / 1009
v <- ((i * 104729) %% 2003 + 0.5) / 2003
w <- ((i * 1299709) %% 4001 + 0.5) / 4001
d <- data.frame(age = 50 + (7 * i) %% 31,
                group = factor(c("HC", "aMCI", "AD")[i %% 3 + 1], c("HC", "aMCI", "AD")),
                sex = factor(ifelse((5 * i) %% 7 < 3, "F", "M"), c("M", "F")),
                volume = 1000 + (37 * i) %% 401)
d$alps <- 1.7 - d$age / 200 - 0.08 * (d$group == "AD") + 0.12 * qnorm(u)
d$mrs <- cut(-4 * d$alps + 0.03 * d$age + qlogis(v), c(-Inf, -5, -4, -3, -2, Inf), 0:4,
             ordered_result = TRUE)
d$count <- qpois(w, exp(0.2 + 0.03 * d$age - 0.4 * (d$sex == "F")) * exp(0.5 * qnorm(v)))

# --- ordinal_regression
m <- ordinal::clm(mrs ~ alps + age + group, data = d, control = list(gradTol = 1e-12))
print(coef(summary(m)))
print(c(logLik(m), logLik(ordinal::clm(mrs ~ 1, data = d)),
        logLik(ordinal::clm(mrs ~ alps + age, data = d))))

# Brant's test, equations 4 to 6 of Brant (1990)
z <- as.integer(d$mrs) - 1
x <- model.matrix(~ alps + age + group, d)
fits <- lapply(0:3, function(j) glm(z > j ~ alps + age + group, binomial, d, epsilon = 1e-14))
p <- sapply(fits, fitted)
b <- sapply(fits, coef)[-1, ]
inv <- lapply(1:4, function(j) solve(t(x) %*% (p[, j] * (1 - p[, j]) * x)))
V <- matrix(0, 16, 16)
for (j in 1:4) for (l in 1:4)
  V[4 * j - 3:0, 4 * l - 3:0] <-
    (inv[[j]] %*% t(x) %*% ((p[, max(j, l)] - p[, j] * p[, l]) * x) %*% inv[[l]])[-1, -1]
brant <- function(columns) {
  D <- kronecker(cbind(1, -diag(3)), diag(4)[columns, , drop = FALSE])
  chi2 <- t(D %*% c(b)) %*% solve(D %*% V %*% t(D)) %*% D %*% c(b)
  c(chi2, nrow(D), pchisq(chi2, nrow(D), lower.tail = FALSE))
}
print(rbind(brant(1:4), brant(1), brant(2), brant(3:4)))

# --- count_regression
p <- glm(count ~ age + sex + offset(log(volume)), poisson, d, epsilon = 1e-14)
print(coef(summary(p)))
nb <- function(formula) glm.nb(formula, d, control = glm.control(epsilon = 1e-12, maxit = 200))
m <- nb(count ~ age + sex + group)
print(coef(summary(m)))
print(c(1 / m$theta, logLik(m), logLik(nb(count ~ age + sex)), logLik(nb(count ~ 1))))
p <- glm(count ~ age + sex + group, poisson, d, epsilon = 1e-14)
lr <- 2 * c(logLik(m) - logLik(p))
print(c(lr, pchisq(lr, 1, lower.tail = FALSE) / 2))
print(sapply(list(p, m), function(m) sum(residuals(m, "pearson")^2) / m$df.residual))

# --- mixed_model, change: `l` is the fixture `longitudinal`
library(lmerTest)
j <- rep(1:48, each = 3); s <- rep(0:2, 48)
u <- ((j * 7919) %% 1009 + 0.5) / 1009
v <- (((3 * j + s) * 104729) %% 2003 + 0.5) / 2003
l <- data.frame(id = factor(j), s = s, time = s + 0.1 * ((j * 3 + s) %% 5), age = 50 + (7 * j) %% 31,
                site = factor(letters[(j - 1) %/% 8 + 1]),
                group = factor(ifelse(j %% 2 == 0, "AD", "HC"), c("HC", "AD")),
                grade = factor(c("none", "mild", "many")[j %/% 2 %% 3 + 1], c("none", "mild", "many")))
l$alps <- 1.6 - l$age / 300 - 0.05 * (l$group == "AD") - 0.02 * (1 + (l$group == "AD")) * l$time +
  0.1 * qnorm(u) + 0.05 * qnorm(v) + 0.03 * ((as.integer(l$site) * 5) %% 6 - 2.5)
l <- l[!(j %% 7 == 0 & s == 2) & !(j %% 11 == 0 & s >= 1), ]
control <- lmerControl(optCtrl = list(xtol_abs = 1e-14, ftol_abs = 1e-14, maxeval = 1e5))
m <- lmer(alps ~ time + group + age + (1 | id), l, control = control)
print(coef(summary(m))); print(as.data.frame(VarCorr(m))); print(logLik(m))
m <- lmer(alps ~ time * group + age + (1 | site) + (1 | id), l, control = control)
print(coef(summary(m))); print(as.data.frame(VarCorr(m))); print(REMLcrit(m), digits = 15)
print(contest1D(m, c(0, 1, 0, 0, 1), confint = TRUE))  # time at AD
print(contestMD(m, rbind(c(0, 0, 1, 0, 0), c(0, 0, 0, 0, 1))))
m <- lmer(alps ~ time + grade + (1 | id), l, control = control)
print(as.data.frame(anova(m)), digits = 12)
f <- var(c(model.matrix(m) %*% fixef(m))); r <- as.data.frame(VarCorr(m))$vcov
print(c(f, f + r[1]) / (f + sum(r)))

l$steep <- l$alps + 0.06 * qnorm(((as.integer(as.character(l$id)) * 1299709) %% 4001 + 0.5) / 4001) *
  l$time
m <- lmer(steep ~ time * group + age + (1 | id) + (0 + time | id), l, control = control)
print(coef(summary(m))); print(as.data.frame(VarCorr(m))); print(REMLcrit(m), digits = 15)
f <- var(c(model.matrix(m) %*% fixef(m))); r <- as.data.frame(VarCorr(m))$vcov
b <- r[1] + r[2] * mean(l$time^2)  # Johnson (2014)
print(c(f, f + b) / (f + b + r[3]))

# --- change
wide <- merge(l[l$s == 0, ], l[l$s == 2, c("id", "alps")], by = "id", all.x = TRUE)
wide$change <- wide$alps.y - wide$alps.x
for (g in c("HC", "AD")) with(wide[wide$group == g, ], print(unlist(
  t.test(alps.y, alps.x, paired = TRUE)[c("estimate", "conf.int", "statistic", "p.value")])))
print(unlist(t.test(change ~ relevel(group, "AD"), wide, var.equal = TRUE)[
  c("conf.int", "statistic", "p.value")]))
print(coef(summary(lm(alps.y ~ alps.x + age + group, wide))))

# --- equivalence: two one-sided t tests
hc <- d$alps[d$group == "HC"]; am <- d$alps[d$group == "aMCI"]
tost <- function(low, high, ...) c(t.test(..., mu = low, alternative = "greater")$p.value,
                                   t.test(..., mu = high, alternative = "less")$p.value,
                                   t.test(..., conf.level = 0.9)$conf.int)
print(tost(-0.1, 0.08, am, hc, var.equal = TRUE))
print(tost(-0.1, 0.08, am, hc))
print(tost(-0.1, 0.08, am, hc, paired = TRUE))

# --- paired_levels: McNemar, Bowker, Agresti and Min's interval
square <- matrix(c(18, 4, 13, 25), 2)  # first in rows
print(c(binom.test(13, 17)$p.value, binom.test(13, 17)$conf.int))
ab <- (square + 0.5)[c(3, 2)]; n <- sum(square) + 2
diff <- (ab[1] - ab[2]) / n
print(diff + c(-1, 1) * qnorm(0.975) * sqrt(sum(ab) - (ab[1] - ab[2])^2 / n) / n)
print(unlist(mcnemar.test(matrix(c(18, 10, 30, 25), 2))[c("statistic", "p.value")]))
print(unlist(mcnemar.test(matrix(c(10, 3, 1, 8, 12, 4, 2, 9, 11), 3))[c("statistic", "parameter", "p.value")]))

# --- kappa
grades <- matrix(c(10, 3, 1, 8, 12, 4, 2, 9, 11), 3)
print(psych::cohen.kappa(grades), digits = 12)
print(psych::cohen.kappa(grades, w = 1 - abs(outer(1:3, 1:3, "-")) / 2)$weighted.kappa)
print(psych::cohen.kappa(grades)$var.weighted)
print(psych::cohen.kappa(grades)$confid, digits = 12)

# --- linear_regression: interactions, HC3 standard errors, restricted cubic splines
m <- lm(alps ~ age * group + sex, d)
print(coef(summary(m)))
b <- car::linearHypothesis(m, c("age:groupaMCI = 0", "age:groupAD = 0")); print(c(b$F, b$`Pr(>F)`), digits = 12)
V <- sandwich::vcovHC(m, "HC3"); print(lmtest::coeftest(m, V), digits = 12)
b <- car::linearHypothesis(m, c("age:groupaMCI = 0", "age:groupAD = 0"), vcov. = V)
print(c(b$F, b$`Pr(>F)`), digits = 12)
slope <- coef(m)["age"] + coef(m)["age:groupAD"]
print(c(slope, sqrt(sum(vcov(m)[c(2, 7), c(2, 7)])), sqrt(sum(V[c(2, 7), c(2, 7)]))))
k <- quantile(d$age, c(0.05, 0.35, 0.65, 0.95))  # a natural spline spans what rms::rcs does
x <- splines::ns(d$age, knots = k[2:3], Boundary.knots = k[c(1, 4)])
m <- lm(alps ~ x + sex, d)
for (small in list(lm(alps ~ sex, d), lm(alps ~ age + sex, d)))
  print(unlist(anova(small, m)[2, c("F", "Pr(>F)")]), digits = 12)
ends <- predict(x, quantile(d$age, c(0.25, 0.75)))
q <- predict(m, list(x = ends, sex = c("M", "M")))
print(diff(q))

# --- interactions and splines of logistic, ordinal and count regressions
d$high <- as.integer(d$mrs) > 3
m <- glm(high ~ age * group, binomial, d, epsilon = 1e-14)
c6 <- coef(m)["age"] + coef(m)["age:groupAD"]; print(c(exp(10 * c6), sqrt(sum(vcov(m)[c(2, 6), c(2, 6)]))))
print(anova(glm(high ~ age + group, binomial, d), m, test = "LRT")[2, c("Deviance", "Pr(>Chi)")])
m <- ordinal::clm(mrs ~ age * sex, data = d, control = list(gradTol = 1e-12))
print(coef(summary(m))["age:sexF", ])
x <- splines::ns(d$age, knots = k[2:3], Boundary.knots = k[c(1, 4)])
m <- glm(count ~ x + sex, poisson, d, epsilon = 1e-14)
print(deviance(glm(count ~ sex, poisson, d)) - deviance(m)); print(deviance(glm(count ~ age + sex, poisson, d)) - deviance(m))
print(diff(predict(m, list(x = ends, sex = c("M", "M")))))

# --- factorial_anova (type III with contr.sum, type II)
options(contrasts = c("contr.sum", "contr.poly"))
m <- lm(alps ~ group * sex + age, d)
print(as.data.frame(car::Anova(m, type = 3)), digits = 12)
print(as.data.frame(car::Anova(m, type = 2)), digits = 12)

# --- compare_repeated: 40 participants, three measurements
y <- matrix(d$alps, 40) + rep(c(0, 0.03, -0.02), each = 40)
long <- data.frame(y = c(y), m = factor(rep(1:3, each = 40)), id = factor(rep(1:40, 3)))
print(summary(aov(y ~ m + Error(id / m), long)), digits = 12)
w <- summary(car::Anova(lm(y ~ 1), idata = data.frame(m = factor(1:3)), idesign = ~m, type = 3))
print(w$univariate.tests["m", ], digits = 12); print(w$pval.adjustments, digits = 12)
print(unlist(friedman.test(y)[c("statistic", "p.value")]))
high <- (y > 1.4) * 1
q <- 2 * (3 * sum(colSums(high)^2) - sum(high)^2) / (3 * sum(high) - sum(rowSums(high)^2))
print(c(q, pchisq(q, 2, lower.tail = FALSE)))  # Cochran (1950)

# --- imputation: the same five completed tables, pooled by mice
options(contrasts = c("contr.treatment", "contr.poly"))
fits <- lapply(1:5, function(s) {
  c <- d
  lost <- i %% 4 == 0
  c$age[lost] <- 50 + ((7 * i + 11 * s * (i %% 5)) %% 31)[lost]
  lm(alps ~ age + group, c)
})
pooled <- summary(mice::pool(mice::as.mira(fits)), "all")
print(pooled[, c("term", "estimate", "std.error", "df", "p.value", "fmi")], digits = 12)
# D1 of Li, Raghunathan and Rubin (1991) by hand, of the two indicators of the group
q <- sapply(fits, function(f) coef(f)[3:4])
W <- Reduce(`+`, lapply(fits, function(f) vcov(f)[3:4, 3:4])) / 5
r <- 1.2 * sum(diag(cov(t(q)) %*% solve(W))) / 2
f <- c(t(rowMeans(q)) %*% solve(W) %*% rowMeans(q) / (2 * (1 + r)))
print(c(f, 4 + 4 * (1 + 0.75 / r)^2, pf(f, 2, 116, lower.tail = FALSE)), digits = 12)

# --- imputation of other regressions: the same five tables (test_regression.py)
complete <- lapply(1:5, function(s) {
  c <- d
  lost <- i %% 4 == 0
  c$age[lost] <- 50 + ((7 * i + 11 * s * (i %% 5)) %% 31)[lost]
  c
})
nb <- function(c) glm.nb(count ~ age + sex + group, c,
                         control = glm.control(epsilon = 1e-12, maxit = 200))
for (fit in list(
  function(c) ordinal::clm(mrs ~ alps + age + group, data = c, control = list(gradTol = 1e-12)),
  nb,
  function(c) glm(count ~ age + sex + offset(log(volume)), poisson, c, epsilon = 1e-14),
  function(c) glm(as.integer(mrs) > 3 ~ age + group, binomial, c, epsilon = 1e-14)
)) print(summary(mice::pool(mice::as.mira(lapply(complete, fit))), "all"), digits = 12)
print(mean(sapply(complete, function(c) 1 / nb(c)$theta)), digits = 12)
print(median(sapply(complete, function(c) {
  p <- glm(count ~ age + sex + group, poisson, c, epsilon = 1e-14)
  pchisq(2 * c(logLik(nb(c)) - logLik(p)), 1, lower.tail = FALSE) / 2
})), digits = 12)

# --- curves of splines: the fit at age 50, 65 and 80 (test_regression.py)
k <- quantile(d$age, c(.05, .35, .65, .95))
bends <- function(x) {
  p <- function(v) pmax(v, 0)^3
  sapply(1:2, function(j) (p(x - k[j]) - p(x - k[3]) * (k[4] - k[j]) / (k[4] - k[3]) +
                           p(x - k[4]) * (k[3] - k[j]) / (k[4] - k[3])) / (k[4] - k[1])^2)
}
new <- data.frame(age = c(50, 65, 80), sex = "M", volume = mean(d$volume))
m <- lm(alps ~ age + bends(age) + sex + volume, d)
print(predict(m, new, interval = "confidence"), digits = 12)
band <- function(q) cbind(q$fit, q$fit - qnorm(.975) * q$se.fit, q$fit + qnorm(.975) * q$se.fit)
g <- glm(as.integer(mrs) > 3 ~ age + bends(age) + sex, binomial, d, epsilon = 1e-14)
print(plogis(band(predict(g, new, se.fit = TRUE))), digits = 12)
g <- glm(count ~ age + bends(age) + sex + offset(log(volume)), poisson, d, epsilon = 1e-14)
print(exp(band(predict(g, transform(new, volume = 1), se.fit = TRUE))), digits = 12)
o <- ordinal::clm(mrs ~ age + b1 + b2 + sex, control = list(gradTol = 1e-12),
                  data = transform(d, b1 = bends(age)[, 1], b2 = bends(age)[, 2]))
x <- sweep(cbind(new$age, bends(new$age)), 2, c(65, bends(65)))
print(exp(band(list(fit = x %*% coef(o)[5:7],
                    se.fit = sqrt(diag(x %*% vcov(o)[5:7, 5:7] %*% t(x)))))), digits = 12)
