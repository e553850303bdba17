/* Buffers of Python as rows of numbers, with one line for each that cannot be. */
#include <string.h>

#include "binding.h"

const element float32 = {"float32", "f", sizeof(float)};
const element int16 = {"int16", "h", sizeof(int16_t)};

static int holds(const Py_buffer *view, const element *kind) {
    const char *format = view->format == NULL ? "B" : view->format;
    return view->itemsize == 1 || strcmp(format + (*format == '<'), kind->format) == 0;
}

int take(PyObject *object, const char *name, const element *kind, Py_ssize_t *count, Py_ssize_t size, int writable,
         Py_buffer *view) {
    int flags = PyBUF_C_CONTIGUOUS | PyBUF_FORMAT | (writable ? PyBUF_WRITABLE : 0);
    const int is_array = kind == &float32 && numpy_view(object, writable, view);
    if (!is_array && PyObject_GetBuffer(object, view, flags) < 0) {
        PyErr_Clear();
        PyErr_Format(PyExc_ValueError, "%s must be a contiguous buffer%s, such as a NumPy array or a bytearray", name,
                     writable ? " that can be written to" : "");
        return -1;
    }
    const Py_ssize_t whole = kind->size * size;
    if (!is_array && !holds(view, kind)) {
        PyErr_Format(PyExc_ValueError, "%s must hold %s values or bytes, got the format '%s'", name, kind->name,
                     view->format);
    } else if (*count < 0 ? view->len % whole != 0 : view->len != *count * whole) {
        PyErr_Format(PyExc_ValueError, "%s must have %zd values%s, got %zd bytes", name,
                     *count < 0 ? size : *count * size, *count < 0 ? " a step" : "", view->len);
    } else if ((uintptr_t)view->buf % (uintptr_t)kind->size != 0) {
        PyErr_Format(PyExc_ValueError, "%s must begin at an address that is a multiple of %zd", name, kind->size);
    } else {
        *count = *count < 0 ? view->len / whole : *count;
        return 0;
    }
    PyBuffer_Release(view);
    return -1;
}
