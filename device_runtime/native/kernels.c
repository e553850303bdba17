/* Which kernels this processor runs, asked of the processor itself. */
#include <string.h>

#include "model.h"

static const kernel *const fastest_first[] = {
#if defined(__x86_64__)
    &tinyrnn_avx512,
#endif
#if defined(__x86_64__) || defined(__i386__)
    &tinyrnn_avx2,
#endif
#if defined(__aarch64__)
    &tinyrnn_sdot,
#endif
#if defined(HAS_NEON_KERNEL)
    &tinyrnn_neon,
#endif
    &tinyrnn_portable,
};

static const kernel *running(uint32_t at) {
    for (size_t i = 0; i < sizeof fastest_first / sizeof *fastest_first; i++) {
        if (fastest_first[i]->runs_here() && at-- == 0) {
            return fastest_first[i];
        }
    }
    return NULL;
}

const kernel *tinyrnn_choose_kernel(const char *name) {
    const kernel *found = running(0);
    for (uint32_t at = 0; name != NULL && found != NULL && strcmp(found->name, name) != 0; at++) {
        found = running(at + 1);
    }
    return found;
}

const char *tinyrnn_kernel_name(uint32_t at) {
    const kernel *found = running(at);
    return found == NULL ? NULL : found->name;
}
