/* The cases by name.
 *
 *     cases --list                  category, name, size, what is done, what can catch it; tabs between
 *     cases NAME SIZE               do the wrong thing
 *     cases --control NAME SIZE     take the same steps without it
 *     cases --control-all CATEGORY  the same for all of these, in one process
 *
 * On standard output: ARMED before the wrong operation, RETURNED when it came back, then how the case ended, of which
 * NOT_CAUGHT (alone, or with "harmless" behind it) means that nobody stopped it. */
#include "harness.h"
#include "predict.h"
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

extern const struct category double_free, invalid_free, bounds_write, bounds_read, write_after_free, read_after_free,
    uninitialised, request_size, zero_size, realloc_misuse, mismatch, metadata, predictability, races;

static const struct category *const categories[] = {
    &double_free,   &invalid_free, &bounds_write,   &bounds_read, &write_after_free, &read_after_free, &uninitialised,
    &request_size,  &zero_size,    &realloc_misuse, &mismatch,    &metadata,         &predictability,  &races,
};
enum { CATEGORIES = sizeof categories / sizeof categories[0] };

static const char *const endings[] = {
    [NOT_CAUGHT] = "NOT_CAUGHT\n",
    [HARMLESS] = "NOT_CAUGHT harmless\n",
    [PREVENTED] = "PREVENTED\n",
    [NOT_OFFERED] = "NOT_OFFERED\n",
};

static int say(const char *line) { return write(STDOUT_FILENO, line, strlen(line)) < 0; }

typedef int visitor(const struct category *category, const struct wrong *wrong, size_t size);

static int each(visitor *visit) {
    for (int c = 0; c < CATEGORIES; c++)
        for (size_t i = 0; i < categories[c]->count; i++)
            for (const size_t *size = categories[c]->cases[i].sizes; *size != END; size++) {
                int status = visit(categories[c], &categories[c]->cases[i], *size);
                if (status) return status;
            }
    return 0;
}

static int list(const struct category *category, const struct wrong *case_, size_t size) {
    printf("%s\t%s\t%zu\t%s\t%s\n", category->name, case_->name, size, case_->does, case_->catcher);
    return 0;
}

static const char *chosen_name, *chosen_category;
static size_t chosen_size;
static bool is_control, was_found;

/* A control run changes nothing that anybody could notice; a case that finds a change has found a broken heap. */
static int control(const struct category *category, const struct wrong *case_, size_t size) {
    char line[160];
    snprintf(line, sizeof line, "%s: %s %zu\n", category->name, case_->name, size);
    wrong = false;
    memset(block, 0, sizeof block); /* what the case before left is not this one's */
    if (say(line)) return 3;
    if (case_->run(size, case_->by) != NOT_CAUGHT) return say("CONTROL\n");
    say("DAMAGE\n");
    return 4;
}

static int control_chosen(const struct category *category, const struct wrong *case_, size_t size) {
    if (strcmp(category->name, chosen_category)) return 0;
    was_found = true;
    return control(category, case_, size);
}

static int choose(const struct category *category, const struct wrong *case_, size_t size) {
    if (strcmp(case_->name, chosen_name) || size != chosen_size) return 0;
    was_found = true;
    if (is_control) return control(category, case_, size);
    return say(endings[case_->run(size, case_->by)]) ? 3 : 0;
}

int main(int argc, char **argv) {
    setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
    if (argc == 2 && !strcmp(argv[1], "--list")) return each(list);
    if (argc == 3 && !strcmp(argv[1], "--control-all")) {
        chosen_category = argv[2];
        int status = each(control_chosen);
        return was_found ? status : 2;
    }
    if (argc == 3 && !strcmp(argv[1], "--layout")) return print_layout(strtoull(argv[2], NULL, 10));
    is_control = argc == 4 && !strcmp(argv[1], "--control");
    if (argc != 3 && !is_control) return 2;
    chosen_name = argv[argc - 2];
    chosen_size = strtoull(argv[argc - 1], NULL, 10);
    int status = each(choose);
    return was_found ? status : 2;
}
