/* model.native: read where it lies, after every number in it has been checked. Little endian throughout.
 *
 *      0  "tinyrnn" and a zero byte            32  labels_at      0: none
 *      8  format, 1                            36  labels_bytes   texts, each ends with a zero byte
 *     12  file_size                            40  stride of the speech front end, 0: of no such; then zeros
 *     16  feature_size                         64  layers, 16 bytes each: kind (1 dense, 2 GRU), hop, output_gain, 0
 *     20  input_gain                               matrices, 64 bytes each: one of a dense layer, input and state of
 *     24  layer_count                              a GRU layer; that of the head comes last
 *     28  score_count                              then the sections that they point at, 64 zero bytes at the end
 *
 * A matrix record: 0 rows, 4 columns, 8 sparse_rows, 9 is_four_bit, 10 block_columns, 11 index_bytes (one byte each),
 * 12 tile_count, then where its sections begin: 16 tiles, 20 tile_counts, 24 indices, 28 steps (0: none), 32 scale,
 * 36 bias; 40 the codebook, 16 int8 values; 56 zeros.
 *
 * Tiles hold 64 values. Dense (sparse_rows is 0): 16 rows x 4 columns, row by row; groups of columns follow one
 * another, then the next 16 rows. Sparse: 16 rows x 4 columns or 8 rows x 8 columns, as sparse_rows tells; `indices`
 * name the columns in units of block_columns, tile_counts (uint16) says how many tiles each so many rows have, and only
 * columns with a weight in them are there. In 4 bits a tile is half as long: byte i holds value i in its low nibble and
 * value i + 32 in its high one, as places in the codebook; a row's products are multiplied by its step (uint8), so that
 * codebook * step is the weight. What is past the last column must be zero, what is past the last row may be anything.
 */
#include "file.h"

#include <stdarg.h>
#include <stdio.h>

enum { HEADER = 64, LAYER = 16, MATRIX = 64, FORMAT = 1, MAX_FILE = 64 << 20 };

static const char magic[8] = "tinyrnn";

bool refuse(const file *f, const char *format, ...) {
    va_list values;
    va_start(values, format);
    vsnprintf(f->error, TINYRNN_ERROR_SIZE, format, values);
    va_end(values);
    return false;
}

const uint8_t *section(const file *f, const char *name, uint32_t at, uint64_t bytes, uint32_t alignment) {
    if (at % alignment != 0 || (uint64_t)at + bytes > f->size) {
        refuse(f, "%s begin at %lu and take %llu bytes of %lu, on a multiple of %lu", name, (unsigned long)at,
               (unsigned long long)bytes, (unsigned long)f->size, (unsigned long)alignment);
        return NULL;
    }
    return f->bytes + at;
}

static bool is_gain(float v) { return v >= 1e-9f && v <= 1e9f; /* false for NaN */ }

/* The matrix as a layer needs it: 0 rows or columns may be any. */
static bool check_shape(const file *f, const matrix *m, uint32_t rows, uint32_t columns) {
    if ((rows != 0 && m->rows != rows) || (columns != 0 && m->columns != columns)) {
        return refuse(f, "a matrix has %lu rows and %lu columns; its layer needs %lu and %lu", (unsigned long)m->rows,
                      (unsigned long)m->columns, (unsigned long)(rows ? rows : m->rows),
                      (unsigned long)(columns ? columns : m->columns));
    }
    return true;
}

static bool read_layer(const file *f, size_t at, tinyrnn *model, layer *l, uint32_t inputs) {
    uint32_t kind = uint32_at(f, at);
    const matrix *m = &model->matrices[model->matrix_count];
    l->kind = kind == DENSE ? DENSE : GRU;
    l->inputs = inputs, l->hop = uint32_at(f, at + 4), l->output_gain = float_at(f, at + 8);
    l->input = m;
    if (kind == GRU) {
        l->state = m + 1, l->outputs = m[1].columns;
        model->matrix_count += 2;
        model->state_size += l->outputs;
        return check_shape(f, m + 1, 3 * l->outputs, 0) && check_shape(f, m, 3 * l->outputs, inputs);
    }
    model->matrix_count += 1;
    if (kind != DENSE || l->hop < 1 || l->hop > MAX_VALUES || !is_gain(l->output_gain)) {
        return refuse(f, "a layer has the kind %lu, hop %lu and output_gain %g", (unsigned long)kind,
                      (unsigned long)l->hop, (double)l->output_gain);
    }
    if (m->columns > inputs) {
        return check_shape(f, m, 0, inputs);
    }
    l->windows = 1 + (inputs - m->columns) / l->hop;
    uint64_t values = (uint64_t)l->windows * (m->rows > m->columns ? m->rows : m->columns);
    if (values > MAX_VALUES) {
        return refuse(f, "a layer would make %llu values a step; at most %d are allowed", (unsigned long long)values,
                      MAX_VALUES);
    }
    l->outputs = l->windows * m->rows;
    return true;
}

static bool read_labels(const file *f, tinyrnn *model) {
    uint32_t at = uint32_at(f, 32), bytes = uint32_at(f, 36), ends = 0;
    if (at == 0) {
        return true;
    }
    model->labels = (const char *)section(f, "labels", at, bytes, 1);
    for (uint32_t i = 0; model->labels != NULL && i < bytes; i++) {
        ends += model->labels[i] == 0;
    }
    if (model->labels != NULL && (ends != model->score_count || model->labels[bytes - 1] != 0)) {
        return refuse(f, "%lu labels are named, but a step has %lu scores", (unsigned long)ends,
                      (unsigned long)model->score_count);
    }
    return model->labels != NULL;
}

static bool read_header(const file *f, tinyrnn *model) {
    if (f->size < HEADER || memcmp(f->bytes, magic, sizeof magic) != 0) {
        return refuse(f, "it is no model.native, or it was cut short");
    }
    if (uint32_at(f, 8) != FORMAT) {
        return refuse(f, "it has the format %lu, but this engine reads %d", (unsigned long)uint32_at(f, 8), FORMAT);
    }
    if (uint32_at(f, 12) != f->size || f->size > MAX_FILE) {
        return refuse(f, "it has %lu bytes, but should have %lu", (unsigned long)f->size,
                      (unsigned long)uint32_at(f, 12));
    }
    model->feature_size = uint32_at(f, 16), model->input_gain = float_at(f, 20);
    model->layer_count = uint32_at(f, 24), model->score_count = uint32_at(f, 28);
    if (model->feature_size < 1 || model->feature_size > MAX_VALUES || !is_gain(model->input_gain)) {
        return refuse(f, "feature_size is %lu and input_gain %g", (unsigned long)model->feature_size,
                      (double)model->input_gain);
    }
    if (model->score_count < 1 || model->score_count > MAX_VALUES) {
        return refuse(f, "a step has %lu scores; it takes 1 to %d", (unsigned long)model->score_count, MAX_VALUES);
    }
    model->stride = uint32_at(f, 40);
    if (model->stride > MAX_VALUES) {
        return refuse(f, "its frames are %lu vectors of speech apart; this engine takes up to %d",
                      (unsigned long)model->stride, MAX_VALUES);
    }
    if (model->layer_count > MAX_LAYERS) {
        return refuse(f, "it has %lu layers; this engine takes %d", (unsigned long)model->layer_count, MAX_LAYERS);
    }
    return true;
}

bool tinyrnn_read(tinyrnn *model, const uint8_t *bytes, size_t size, char error[TINYRNN_ERROR_SIZE]) {
    const file f = {bytes, size, error};
    memset(model, 0, sizeof *model);
    if ((uintptr_t)bytes % 4 != 0) {
        return refuse(&f, "it must lie at an address that is a multiple of 4");
    }
    if (!read_header(&f, model)) {
        return false;
    }
    uint64_t layers_end = HEADER + (uint64_t)LAYER * model->layer_count;
    uint32_t matrices = 1;
    if (layers_end > size) {
        return refuse(&f, "it ends within its layers");
    }
    for (uint32_t i = 0; i < model->layer_count; i++) {
        matrices += uint32_at(&f, HEADER + LAYER * i) == GRU ? 2 : 1;
    }
    if (layers_end + (uint64_t)MATRIX * matrices > size) {
        return refuse(&f, "it ends within its matrices");
    }
    for (uint32_t i = 0; i < matrices; i++) {
        if (!read_matrix(&f, (size_t)layers_end + MATRIX * i, &model->matrices[i])) {
            return false;
        }
    }
    uint32_t values = model->feature_size;
    model->state_size = model->feature_size;
    for (uint32_t i = 0; i < model->layer_count; i++) {
        if (!read_layer(&f, HEADER + LAYER * i, model, &model->layers[i], values)) {
            return false;
        }
        values = model->layers[i].outputs;
    }
    model->head = &model->matrices[model->matrix_count++];
    return check_shape(&f, model->head, model->score_count, values) && read_labels(&f, model);
}
