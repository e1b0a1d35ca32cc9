// Random numbers that follow from a seed (splitmix64): each thread has a sequence of its own, which begins where its `state` is set.
#include <stdint.h>

static __thread uint64_t state;

static inline uint64_t any(void) {
    state += 0x9e3779b97f4a7c15u;
    uint64_t z = state;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

// Less than this.
static inline uint64_t below(uint64_t limit) { return any() % limit; }

static inline int one_in(uint64_t count) { return below(count) == 0; }
