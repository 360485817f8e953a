/* A small coverage-guided fuzzer: what libFuzzer does, in short, with any compiler that has -fsanitize-coverage.

   usage: driver SECONDS [FILE]; with FILE it runs that input once. Inputs come from a fixed seed. What breaks is
   written to `fuzz-failure`. */

#include <sanitizer/common_interface_defs.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
void LLVMFuzzerInitialize(void);
extern const char *const FUZZ_SEEDS[], *const FUZZ_TOKENS[];

enum { MAX_INPUT = 6000, MAX_CORPUS = 20000, EDGES = 1 << 13 };

static struct {
    uint8_t *data;
    size_t size;
} corpus[MAX_CORPUS];
static size_t inputs, edges_seen;
static uint8_t current[MAX_INPUT], hits[EDGES], seen[EDGES];
static size_t current_size;
static uintptr_t previous;
static uint64_t state = 0x9e3779b97f4a7c15;

/* Called at every edge of the code under test. */
void __sanitizer_cov_trace_pc(void) {
    uintptr_t here = (uintptr_t)__builtin_return_address(0);
    uint8_t *hit = &hits[(here ^ previous) % EDGES];
    *hit += *hit < 255;
    previous = here >> 1;
}

static size_t below(size_t bound) {
    state ^= state << 13, state ^= state >> 7, state ^= state << 17;
    return bound ? (size_t)(state >> 11) % bound : 0;
}

/* Whether the last run went where none went before: a new edge, or one twice as often. */
static int is_new(void) {
    int found = 0;
    for (int i = 0; i < EDGES; i++) {
        if (!hits[i])
            continue;
        uint8_t often = 0;
        for (uint8_t hit = hits[i]; hit; hit >>= 1)
            often++;
        if (often > seen[i]) {
            edges_seen += !seen[i];
            seen[i] = often;
            found = 1;
        }
    }
    return found;
}

static void run(void) {
    memset(hits, 0, sizeof hits);
    previous = 0;
    uint8_t *exact = malloc(current_size + !current_size); /* so that reading past its end is seen */
    memcpy(exact, current, current_size);
    LLVMFuzzerTestOneInput(exact, current_size);
    free(exact);
    if (!is_new() || inputs == MAX_CORPUS)
        return;
    corpus[inputs].data = malloc(current_size + !current_size);
    memcpy(corpus[inputs].data, current, current_size);
    corpus[inputs++].size = current_size;
}

/* Put `size` bytes in the place of `gone` bytes at `at`. */
static void splice(size_t at, size_t gone, const uint8_t *data, size_t size) {
    if (current_size - gone + size > MAX_INPUT)
        return;
    memmove(current + at + size, current + at + gone, current_size - at - gone);
    memmove(current + at, data, size);
    current_size += size - gone;
}

static void mutate(void) {
    static uint8_t copy[MAX_INPUT];
    size_t at = below(current_size + 1), left = current_size - at, tokens = 0, other = below(inputs);
    size_t some = below(left < 40 ? left + 1 : 40);
    uint8_t byte = (uint8_t)below(256);
    switch (below(7)) {
    case 0:
        if (left)
            current[at] ^= (uint8_t)(1 << below(8));
        break;
    case 1:
        splice(at, left > 0, &byte, 1);
        break;
    case 2:
        splice(at, some, current, 0);
        break;
    case 3: /* again, elsewhere and often */
        memcpy(copy, current + at, some);
        for (size_t times = below(4) ? 1 : below(200); times; times--)
            splice(below(current_size + 1), 0, copy, some);
        break;
    case 4:
        at = below(corpus[other].size + 1);
        splice(below(current_size + 1), 0, corpus[other].data + at, below(corpus[other].size - at + 1));
        break;
    default:
        while (FUZZ_TOKENS[tokens])
            tokens++;
        const char *token = FUZZ_TOKENS[below(tokens)];
        splice(at, below(3) ? 0 : some, (const uint8_t *)token, strlen(token));
    }
}

static void keep_failure(void) {
    FILE *file = fopen("fuzz-failure", "wb");
    if (file) {
        fwrite(current, 1, current_size, file);
        fclose(file);
        fputs("The input that broke it is in fuzz-failure.\n", stderr);
    }
}

static void on_abort(int number) {
    keep_failure();
    signal(number, SIG_DFL);
    raise(number);
}

int main(int arguments, char **argument) {
    uint64_t runs = 0;
    time_t end = time(NULL) + (arguments > 1 ? atoi(argument[1]) : 60);
    __sanitizer_set_death_callback(keep_failure);
    signal(SIGABRT, on_abort);
    LLVMFuzzerInitialize();
    if (arguments > 2) {
        FILE *file = fopen(argument[2], "rb");
        current_size = file ? fread(current, 1, MAX_INPUT, file) : 0;
        run();
        return 0;
    }
    for (size_t i = 0; FUZZ_SEEDS[i]; i++) {
        current_size = strlen(FUZZ_SEEDS[i]);
        memcpy(current, FUZZ_SEEDS[i], current_size);
        run();
    }
    for (; runs % 256 || time(NULL) < end; runs++) {
        size_t chosen = below(inputs);
        memcpy(current, corpus[chosen].data, current_size = corpus[chosen].size);
        for (size_t mutations = 1 + below(8); mutations; mutations--)
            mutate();
        run();
    }
    printf("%llu inputs, %zu kept, %zu edges: nothing broke.\n", (unsigned long long)runs, inputs, edges_seen);
    for (size_t i = 0; i < inputs; i++)
        free(corpus[i].data);
    return 0;
}
