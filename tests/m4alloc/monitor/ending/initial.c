/* Reads of what was written, and of what was not. */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <fcntl.h>
#include <wchar.h>
#define NEW(...) (keep = malloc(sizeof(__VA_ARGS__)), (void *)keep)
#define IS(name) (strcmp(argv[1], name) == 0)

static char *volatile p, *volatile q; /* so that no compiler sees what becomes of a block */
static void *volatile keep;
struct padded { char a; int b; char c; double d; char e; };
struct bits { unsigned a : 3, b : 5, c : 9; int whole; };
struct part { int x, y, z; struct padded p; char text[20]; };
static int count;
static volatile int seen;
__attribute__((noinline)) static int load(int *from) { return *from; }
__attribute__((noinline)) static void store(int *to, int value) { *to = value; }
__attribute__((noinline)) static void use(void *what) { keep = what; }
static int by_b(const void *a, const void *b) { return ((struct padded *)a)->b - ((struct padded *)b)->b; }
#define IF(condition) if (condition) count++

int main(int argc, char **argv)
{
    if (IS("padding")) {
        struct padded *a = NEW(struct padded), *b = NEW(struct padded);
        a->a = 1;
        a->b = 2;
        a->c = 3;
        a->d = 4;
        a->e = 5;
        *b = *a;
        memcpy(a, b, sizeof *a);
        use(b);
        IF(b->a == 1 && b->b == 2 && b->c == 3 && b->d == 4 && b->e == 5);
    } else if (IS("partly")) {
        struct part *a = NEW(struct part), *b = NEW(struct part);
        a->x = 1;
        *b = *a;
        struct part s = *b;
        use(&s);
        *a = s;
        IF(a->x == 1);
        IF(b->x == 1);
    } else if (IS("bit fields")) {
        struct bits *b = NEW(struct bits);
        b->a = 1;
        b->b = 2;
        b->c = 3;
        IF(b->a == 1);
        IF(b->b == 2);
        IF(b->c == 3);
    } else if (IS("text")) {
        char *a = NEW(char[100]), *b = NEW(char[100]);
        strcpy(a, "hello");
        IF(strlen(a) == 5);
        memcpy(b, a, 100);
        strcat(b, a);
        printf("%s\n", b);
        a = realloc(a, 500);
        keep = a;
        IF(a[0] == 104);
    } else if (IS("loaded")) {
        int *a = NEW(int[10]);
        int x = *a;
        use(&x);
        seen = x;
    } else if (IS("passed around")) {
        int *a = NEW(int[4]), *b = NEW(int[4]);
        store(b, load(a));
        store(b + 1, load(b));
        b[2] = 7;
        IF(b[2] == 7);
    } else if (IS("calloc")) {
        int *a = calloc(10, 4);
        keep = a;
        IF(a[3] == 0);
        IF(memcmp(a, a + 1, 8));
    } else if (IS("realloc")) {
        int *a = NEW(int[4]);
        for (int i = 0; i < 4; i++) a[i] = i * 0x1010101;
        int *b = realloc(a, 64);
        keep = b;
        for (int i = 0; i < 4; i++) IF(b[i] > 3);
        IF(memcmp(b, b, 16));
    } else if (IS("memset")) {
        struct padded *a = NEW(struct padded);
        memset(a, 0, sizeof *a);
        a->a = 1;
        IF(!memcmp(a, a, sizeof *a));
    } else if (IS("read")) {
        char *a = NEW(char[64]);
        int f = open("/proc/self/stat", O_RDONLY);
        long n = read(f, a, 64);
        IF(a[0] == 49);
        IF(write(open("/dev/null", O_WRONLY), a, n) != n);
    } else if (IS("printf")) {
        char *a = NEW(char[64]);
        snprintf(a, 64, "%d", argc);
        IF(a[0] == 50);
        puts(a);
        IF(*strchr(a, 0));
    } else if (IS("every byte")) {
        unsigned char *a = NEW(unsigned char[256]), *b = NEW(unsigned char[256]);
        for (int i = 0; i < 256; i++)a[i] = i;
        memmove(b, a, 256);
        memmove(b + 1, b, 255);
        for (int i = 0; i < 256; i++) IF(b[i] == 0xf9);
        IF(memcmp(b, a, 256));
    } else if (IS("diagonal")) {
        int (*a)[8] = NEW(int[8][8]);
        for (int i = 0; i < 8; i++) a[i][i] = 1;
        for (int i = 0; i < 8; i++)for (int k = 0; k < 8; k++) count += i == k ? a[i][k] : 0;
        IF(count == 8);
    } else if (IS("getline")) {
        FILE *f = fopen("/proc/self/maps", "r");
        char *line = NULL;
        size_t size = 0;
        while (getline(&line, &size, f) > 0) IF(line[0] == 122);
    } else if (IS("wide")) {
        wchar_t *a = NEW(wchar_t[30]);
        wcscpy(a, L"wide");
        IF(wcslen(a) == 4);
        IF(a[1] == 105);
    } else if (IS("copied by hand")) {
        long *a = NEW(long[3]), *b = NEW(long[3]);
        a[0] = 1;
        for (int i = 0; i < 3; i++) b[i] = a[i];
        IF(b[0] == 1);
    } else if (IS("sorted")) {
        struct padded *a = NEW(struct padded[50]);
        for (int i = 0; i < 50; i++) {
            struct padded s = {1, 50 - i, 2, 3, 4};
            a[i] = s;
        }
        qsort(a, 50, sizeof *a, by_b);
        IF(a[0].b == 1);
    } else if (IS("the fill written")) {
        unsigned long *a = NEW(unsigned long[2]);
        a[0] = 0x00F7C0FAF6FBC1F9;
        IF(a[0] == 0x00F7C0FAF6FBC1F9);
    } else if (IS("branch")) {
        int *a = NEW(int);
        IF(*a);
    } else if (IS("one of four")) {
        int *a = NEW(int[4]);
        a[0] = 1;
        IF(a[1] == 7);
    } else if (IS("byte")) {
        char *a = NEW(char[4]);
        IF(a[1] == 120);
    } else if (IS("short")) {
        short *a = NEW(short[4]);
        IF(a[1] > 1000);
    } else if (IS("loop")) {
        int *a = NEW(int[4]);
        for (int i = 0; i < a[2]; i++) count++;
    } else if (IS("switch")) {
        int *a = NEW(int[4]);
        switch (a[3]) {
            case 1: count++;
            break;
            case 2: count += 2;
            break;
            case 3: count += 7;
            break;
            case 11: count += 9;
            break;
            case 17: count -= 4;
        }
    } else if (IS("returned")) {
        int *a = NEW(int[4]);
        int x = load(a + 1);
        IF(x < 0);
    } else if (IS("strlen")) {
        char *a = NEW(char[30]);
        IF(strlen(a) > 3);
    } else if (IS("wcslen")) {
        wchar_t *a = NEW(wchar_t[30]);
        IF(wcslen(a) > 3);
    } else if (IS("%s")) {
        char *a = NEW(char[30]);
        printf("%s and %s\n", "x", a);
    } else if (IS("memcmp")) {
        char *a = NEW(char[16]), *b = NEW(char[16]);
        memset(b, 1, 16);
        IF(memcmp(a, b, 16));
    } else if (IS("after a struct copy")) {
        struct part *a = NEW(struct part), *b = NEW(struct part);
        a->x = 1;
        *b = *a;
        IF(b->y > 3);
    } else if (IS("after memcpy")) {
        int *a = NEW(int[40]), *b = NEW(int[41]);
        memcpy(b, a, 160);
        IF(b[2] > 3);
    } else if (IS("after realloc")) {
        int *a = NEW(int[4]);
        a[0] = 1;
        a = realloc(a, 80);
        keep = a;
        IF(a[0] == 1);
        IF(a[9] == 1);
    } else if (IS("after a large realloc")) {
        char *a = NEW(char[300000]);
        a[0] = 1;
        a = realloc(a, 400000);
        keep = a;
        IF(a[350001] == 1);
    } else if (IS("aligned")) {
        int *a = aligned_alloc(64, 128);
        keep = a;
        a[0] = 1;
        IF(a[7] == 3);
    } else if (IS("used again")) {
        int *a = NEW(int[4]);
        a[1] = 5;
        free(a);
        for (int i = 0; i < 100000; i++) {
            a = NEW(int[4]);
            if (i < 99999) {
                a[1] = 1;
                free(a);
            }
        }
        IF(a[1] == 9);
    } else if (IS("masked")) {
        int *a = NEW(int[4]);
        IF(a[1] & 4);
    } else if (IS("added")) {
        int *a = NEW(int[4]);
        seen = a[1] + 1;
        IF(seen > 1000);
    } else {
        return 9;
    }
    return 0;
}
