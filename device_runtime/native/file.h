/* What file.c and matrix.c share: the bytes that are read, and the line that says why they are refused. */
#ifndef TINYRNN_FILE_H
#define TINYRNN_FILE_H

#include <string.h>

#include "model.h"

/* Short to read, long for the linker of a program that has such names of its own. */
#define refuse tinyrnn_refuse
#define section tinyrnn_section
#define read_floats tinyrnn_read_floats
#define read_matrix tinyrnn_read_matrix

typedef struct {
    const uint8_t *bytes;
    size_t size;
    char *error;
} file;

/* Writes the line; false. */
bool refuse(const file *f, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Where a section lies, NULL if part of it would lie outside of the file. */
const uint8_t *section(const file *f, const char *name, uint32_t at, uint64_t bytes, uint32_t alignment);

/* So many finite numbers, NULL if they are refused; SLACK_ROWS more may be read. */
const float *read_floats(const file *f, const char *name, uint32_t at, uint32_t count);

/* The matrix whose record is at `at`; false if it is refused. */
bool read_matrix(const file *f, size_t at, matrix *m);

static inline uint32_t uint32_at(const file *f, size_t at) {
    uint32_t value;
    memcpy(&value, f->bytes + at, sizeof value);
    return value;
}

static inline float float_at(const file *f, size_t at) {
    float value;
    memcpy(&value, f->bytes + at, sizeof value);
    return value;
}

#endif
