/* Loads a plugin privately and calls it: `host PLUGIN`. */
#include <dlfcn.h>
#include <stdio.h>

int main(int argc, char **argv)
{
    void *plugin = argc == 2 ? dlopen(argv[1], RTLD_NOW | RTLD_LOCAL) : NULL;
    int (*enter)(void) = plugin ? (int (*)(void))dlsym(plugin, "enter") : NULL;
    if (!enter)
        fprintf(stderr, "%s\n", dlerror());
    return enter ? enter() : 2;
}
