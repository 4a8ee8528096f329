/* Makes the calls that a file describes, each with a client of its own, and checks how they fail.
 * A line: name|configuration|request|status or its beginning|outcome|what the message must hold|what
 * must be nowhere in the document. Usage: calls FILE */
#include <stdlib.h>

#include "bw_webrtc.h"
#include "check.h"
#include "threads.h"

enum { NAME, CONFIG, REQUEST, STATUS, OUTCOME, SAYS, NOWHERE, FIELDS };

static void call(char **field)
{
    bw_client *client = NULL;
    char *out = NULL, *message = NULL, *outcome = NULL;
    int before = failed_;
    bw_status status;

    if (!CHECK(bw_client_new(field[CONFIG], &client, &out) == BW_OK))
        printf("%s\n", out);
    bw_free(out);
    status = bw_create_participant(client, field[REQUEST], &out);
    CHECK(strncmp(bw_status_name(status), field[STATUS], strlen(field[STATUS])) == 0);
    CHECK(bw_json_get(out, "/error/outcome", &outcome) == BW_OK);
    CHECK_TEXT(outcome, field[OUTCOME]);
    CHECK(bw_json_get(out, "/error/message", &message) == BW_OK);
    CHECK_TEXT(message, field[SAYS]);
    CHECK(out != NULL && strstr(out, field[NOWHERE]) == NULL);
    if (failed_ != before)
        printf("in the case \"%s\": %s\n", field[NAME], out);
    bw_free(outcome);
    bw_free(message);
    bw_free(out);
    bw_client_free(client);
}

int main(int argc, char **argv)
{
    static char line[65536];
    int waited;
    FILE *file = argc > 1 ? fopen(argv[1], "r") : NULL;

    if (file == NULL)
        return 2;
    while (fgets(line, sizeof line, file) != NULL) {
        char *field[FIELDS];
        char *from = line;
        int count;

        line[strcspn(line, "\n")] = '\0';
        for (count = 0; count < FIELDS && from != NULL; count++) {
            char *end = strchr(from, '|');
            field[count] = from;
            if (end != NULL)
                *end = '\0';
            from = end != NULL ? end + 1 : NULL;
        }
        if (CHECK(count == FIELDS))
            call(field);
    }
    fclose(file);
    /* A look-up's thread may still be about to end, which valgrind would take for a leak. */
    for (waited = 0; threads() > 1; waited++) {
        if (waited == 60000) {
            puts("a thread is left");
            return 2;
        }
        nap(1);
    }
    return sum_up();
}
