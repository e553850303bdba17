/* The real transform for x86 from Haswell (2013) on: the same integers, 16 butterflies an instruction. */
#include "fft.h"

#ifdef TR_FFT_AVX2
#include <string.h>

#include "frontend_tables.h"

#ifdef __clang__
#pragma clang attribute push(__attribute__((target("avx2"))), apply_to = function)
#else
#pragma GCC target("avx2")
#endif

#include "fft_body.h"

void tr_fft_energies_avx2(int16_t work[4 * TR_HALF], int32_t energies[TR_HALF]) {
    energies_of(work, energies);
}

#ifdef __clang__
#pragma clang attribute pop
#endif
#endif
