# Firth's penalised likelihood and its profiles, written out (logistf is no package of Debian)
penalised <- function(beta, x, y) {
  eta <- drop(x %*% beta)
  p <- plogis(eta)
  information <- crossprod(x, x * p * plogis(-eta))
  sum(y * eta + plogis(-eta, log.p = TRUE)) + as.numeric(determinant(information)$modulus) / 2
}
slope <- function(beta, x, y) {
  eta <- drop(x %*% beta); p <- plogis(eta); w <- p * plogis(-eta)
  h <- w * rowSums((x %*% solve(crossprod(x, x * w))) * x)
  drop(crossprod(x, y - p + h * (0.5 - p)))
}
highest <- function(x, y, fixed = integer(0), at = numeric(0), starts) {
  free <- setdiff(seq_len(ncol(x)), fixed)
  full <- function(part) { beta <- numeric(ncol(x)); beta[fixed] <- at; beta[free] <- part; beta }
  fits <- lapply(starts, function(start) tryCatch(
    optim(start[free], function(b) penalised(full(b), x, y),
      function(b) slope(full(b), x, y)[free], method = "BFGS",
      control = list(fnscale = -1, reltol = 1e-15, maxit = 5000)), error = function(e) NULL))
  fits <- Filter(Negate(is.null), fits)
  best <- fits[[which.max(sapply(fits, function(f) f$value))]]
  list(value = best$value, beta = full(best$par))
}
firth <- function(x, y, confidence = 0.95) {
  x <- cbind(1, x)
  none <- numeric(ncol(x))
  top <- highest(x, y, starts = list(none))
  width <- qchisq(confidence, 1)
  rows <- t(sapply(2:ncol(x), function(j) {
    # far from its maximum a profile has several maxima: search from many places
    places <- lapply(c(0, 1, 2, 3, 4, 6), function(times) times * top$beta)
    excess <- function(b) 2 * (top$value - highest(x, y, j, b, places)$value) - width
    limit <- function(sign) {
      step <- sign * 0.25
      far <- top$beta[j] + step
      while (excess(far) < 0) { step <- step * 1.3; far <- far + step }
      uniroot(excess, sort(c(far - step, far)), tol = 1e-10)$root
    }
    chi2 <- 2 * (top$value - highest(x, y, j, 0, list(top$beta, none))$value)
    c(top$beta[j], limit(-1), limit(1), chi2)
  }))
  colnames(rows) <- c("coefficient", "low", "high", "chi2")
  rows
}
