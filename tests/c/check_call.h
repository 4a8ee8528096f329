/* Checks of a call's status and document. Each check frees the document. */
#ifndef CHECK_CALL_H
#define CHECK_CALL_H

#include "bw_webrtc.h"
#include "check.h"

/* A password for configurations. No document may contain it. */
#define SECRET "hidden-phrase"

/* Not every program uses both functions. */
#define HELPER static __attribute__((unused))

/* The call succeeds, and its document contains `part`. */
HELPER void check_success(bw_status status, char *document, const char *part)
{
    if (!CHECK(status == BW_OK))
        printf("%s\n", document != NULL ? document : "(NULL)");
    CHECK_TEXT(document, part);
    bw_free(document);
}

/* The call fails with the expected status, and its message contains `part`. */
HELPER void check_failure(bw_status status, bw_status expected, char *document, const char *part)
{
    char *message = NULL;

    if (!CHECK(status == expected))
        printf("%.500s\n", document != NULL ? document : "(NULL)");
    CHECK(document != NULL && strstr(document, SECRET) == NULL);
    if (document != NULL && CHECK(bw_json_get(document, "/error/message", &message) == BW_OK))
        CHECK_TEXT(message, part);
    bw_free(message);
    bw_free(document);
}

/* `call` is a statement of its own, because C does not define the evaluation order of arguments. It
 * writes its document to `out`. */
#define CHECK_SUCCESS(call, part)          \
    do {                                   \
        char *out = NULL;                  \
        bw_status status_ = call;          \
        check_success(status_, out, part); \
    } while (0)
#define CHECK_FAILURE(call, expected, part)          \
    do {                                             \
        char *out = NULL;                            \
        bw_status status_ = call;                    \
        check_failure(status_, expected, out, part); \
    } while (0)

#endif
