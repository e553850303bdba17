/* The bands with whatever vectors the compiler may use everywhere, and the choice of better ones. */
#include <stdint.h>

static inline int32_t highest_bit(uint32_t value) {
#if defined(__GNUC__)
    return 31 - __builtin_clz(value | 1);
#else
    int32_t place = 0;
    for (int step = 16; step > 0; step >>= 1) {
        place += value >> place >> step != 0 ? step : 0;
    }
    return place;
#endif
}

#include "frontend_bands_body.h"
#include "processor.h"

void tr_frontend_bands(const int32_t energies[TR_TRANSFORM / 2], int shift, uint32_t noise[TR_BANDS],
                       float features[TR_BANDS]) {
#ifdef TR_BANDS_AVX2
    if (processor.has_avx2) {
        tr_frontend_bands_avx2(energies, shift, noise, features);
        return;
    }
#endif
    bands_of(energies, shift, noise, features);
}
