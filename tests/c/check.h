/* A small test harness: it counts checks, prints failures, and ends with a summary line. */
#ifndef CHECK_H
#define CHECK_H

#include <stdio.h>
#include <string.h>

static int passed_, failed_;

#define CHECK(condition) check_((condition) != 0, #condition, __FILE__, __LINE__)
#define CHECK_TEXT(text, part) check_text_(text, part, __FILE__, __LINE__)

static int check_(int condition, const char *text, const char *file, int line)
{
    if (condition) {
        passed_++;
    } else {
        failed_++;
        printf("%s:%d: failed: %s\n", file, line, text);
    }
    return condition;
}

static int check_text_(const char *text, const char *part, const char *file, int line)
{
    if (text != NULL && strstr(text, part) != NULL) {
        passed_++;
        return 1;
    }
    failed_++;
    printf("%s:%d: \"%s\" is not in: %.500s\n", file, line, part, text != NULL ? text : "(NULL)");
    return 0;
}

static int sum_up(void)
{
    (void)check_;
    (void)check_text_;
    printf("%d passed, %d failed\n", passed_, failed_);
    return failed_ != 0;
}

#endif
