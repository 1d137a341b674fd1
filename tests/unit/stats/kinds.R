# Reference values of the tests of ordinal_regression, count_regression and what follows them.
# Rscript tests/unit/stats/kinds.R (R 4.2 with MASS and ordinal). `d` is the fixture `cohort`.
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
