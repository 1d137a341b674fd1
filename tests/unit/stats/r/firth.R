# Reference values of test_firth.py; the method is in firth_functions.R
source(file.path(dirname(sub("--file=", "", grep("--file=", commandArgs(), value = TRUE))),
                 "firth_functions.R"))
i <- 0:29
mk <- (7 * i) %% 30; age <- (11 * i + 3) %% 30 / 10; sex <- (i %/% 2) %% 2
y <- as.numeric(mk > 13)
options(digits = 12)
print(firth(cbind(mk / 10, age, sex), y))
# a level nobody with the event has
y <- as.numeric((13 * i) %% 30 > 12); site <- i %/% 10; y[site == 2] <- 0
print(cbind(table(site, y)))
print(firth(cbind(site == 1, site == 2, age), y))
