/* The command line: one scenario, one search, one line of JSON; a replay is told in words first. */
#include "search.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void usage(void)
{
    fprintf(stderr, "usage: m4interleave list | litmus NAME PREEMPTIONS STALE | SCENARIO bound PREEMPTIONS STALE LIMIT |"
                    " SCENARIO random STALE SCHEDULES SEED | SCENARIO replay SCHEDULE\n");
    exit(2);
}

static uint64_t number(const char *text)
{
    char *end;
    unsigned long long value = strtoull(text, &end, 10);
    if (*text == 0 || *end != 0)
        usage();
    return value;
}

static void report(const m4_findings *found)
{
    printf("{\"schedules\": %llu, \"points\": %llu, \"longest\": %d, \"shared\": %d, \"complete\": %s",
           (unsigned long long)found->schedules, (unsigned long long)found->points, found->longest, found->shared,
           found->complete ? "true" : "false");
    if (found->failed)
        printf(", \"failure\": \"%s\", \"schedule\": \"%s\"", found->failure, found->schedule);
    printf("}\n");
}

static void open_all(void)
{
    memory_open();
    core_start();
    litmus_start();
    search_open();
}

int main(int count, char **arguments)
{
    const scenario *s = NULL;
    m4_findings found = {0};
    if (count == 2 && strcmp(arguments[1], "list") == 0) {
        for (int i = 0; i < scenario_count; i++)
            printf("%s\t%d\t%s\n", scenarios[i].name, scenarios[i].threads, scenarios[i].about);
        return 0;
    }
    if (count == 5 && strcmp(arguments[1], "litmus") == 0) {
        for (int i = 0; i < litmus_count; i++)
            if (strcmp(arguments[2], litmus[i].name) == 0)
                s = &litmus[i];
        if (s == NULL)
            usage();
        open_all();
        search_bounded(s, (m4_bounds){(int)number(arguments[3]), (int)number(arguments[4]), 0}, &found);
        litmus_print();
        report(&found);
        return found.failed ? 1 : 0;
    }
    for (int i = 0; count > 2 && i < scenario_count; i++)
        if (strcmp(arguments[1], scenarios[i].name) == 0)
            s = &scenarios[i];
    if (s == NULL)
        usage();
    open_all();
    if (count == 6 && strcmp(arguments[2], "bound") == 0)
        search_bounded(s, (m4_bounds){(int)number(arguments[3]), (int)number(arguments[4]), number(arguments[5])},
                       &found);
    else if (count == 6 && strcmp(arguments[2], "random") == 0)
        search_random(s, (int)number(arguments[3]), number(arguments[4]), number(arguments[5]), &found);
    else if (count == 4 && strcmp(arguments[2], "replay") == 0)
        search_replay(s, arguments[3], true, &found);
    else
        usage();
    report(&found);
    return found.failed ? 1 : 0;
}
