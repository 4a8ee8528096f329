/* Executes the calls in a file, each with a client of its own, and checks how they fail. A line of the
 * file: name|configuration|request|status or its first part|outcome|part of the message|text that must
 * not occur in the document. Usage: calls FILE */
#include <stdlib.h>

#include "bw_webrtc.h"
#include "check.h"
#include "threads.h"

enum { NAME, CONFIG, REQUEST, STATUS, OUTCOME, MESSAGE, SECRET, FIELDS };

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
    CHECK_TEXT(message, field[MESSAGE]);
    CHECK(out != NULL && strstr(out, field[SECRET]) == NULL);
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
    /* Wait for the threads of name lookups to end; valgrind would report them as leaks. */
    for (waited = 0; threads() > 1; waited++) {
        if (waited == 60000) {
            puts("a thread is still running");
            return 2;
        }
        nap(1);
    }
    return sum_up();
}
