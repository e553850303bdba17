/* The bands for x86 from Haswell (2013) on: the same integers, 8 of them an instruction. */
#include "frontend_bands.h"

#ifdef TR_BANDS_AVX2
#include <string.h>

#include "frontend_tables.h"

#ifdef __clang__
#pragma clang attribute push(__attribute__((target("avx2"))), apply_to = function)
#else
#pragma GCC target("avx2")
#endif

/* There is no such instruction for lanes: it is the exponent of a float that cannot be rounded up, since the bit below
 * the highest is taken out. Half of the value has no sign. */
static inline int32_t highest_bit(uint32_t value) {
    const uint32_t half = value >> 1;
    const float alone = (float)(int32_t)(half & ~(half >> 1));
    int32_t bits;
    memcpy(&bits, &alone, sizeof bits);
    return ((bits >> 23) - 126) & 31;
}

#include "frontend_bands_body.h"

void tr_frontend_bands_avx2(const int32_t energies[TR_TRANSFORM / 2], int shift, uint32_t noise[TR_BANDS],
                            float features[TR_BANDS]) {
    bands_of(energies, shift, noise, features);
}

#ifdef __clang__
#pragma clang attribute pop
#endif
#endif
