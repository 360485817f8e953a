/* Makes the code that is included behind it run out of memory on demand, when `allocations_left` is 0. */

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static size_t allocations_left = SIZE_MAX;
static int fails(void) { return allocations_left == 0 || allocations_left-- == 0; }
static void *failing_realloc(void *old, size_t size) { return fails() ? NULL : realloc(old, size); }
static void *failing_calloc(size_t count, size_t size) { return fails() ? NULL : calloc(count, size); }

#define realloc failing_realloc
#define calloc failing_calloc
