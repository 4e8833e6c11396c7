/* The pieces of a file that are here: bytes objects, in order, each of whole blocks but for the last. */
#ifndef PIECES_H
#define PIECES_H

#include <Python.h>
#include <stdint.h>
#include <string.h>
#include <sys/uio.h>

typedef struct {
    PyObject *bytes;
    uint64_t first;  /* the number of its first block */
    uint64_t blocks; /* how many it has */
} Piece;

typedef struct {
    Piece *room;
    size_t first, count, size; /* the first in use, how many are, how many fit */
} Pieces;

/* Lets go of the pieces that have no block behind this one. */
static void pieces_release(Pieces *pieces, uint64_t number)
{
    while (pieces->count) {
        Piece *piece = &pieces->room[pieces->first];
        if (piece->first + piece->blocks > number + 1)
            return;
        PyObject *gone = piece->bytes;
        pieces->first++;
        pieces->count--;
        Py_DECREF(gone);
    }
    pieces->first = 0;
}

/* 0, or -1 with an exception. */
static int pieces_append(Pieces *pieces, PyObject *bytes, uint64_t first, uint64_t blocks)
{
    if (pieces->first + pieces->count == pieces->size) {
        if (pieces->first > pieces->count) {
            memmove(pieces->room, pieces->room + pieces->first, pieces->count * sizeof(Piece));
            pieces->first = 0;
        } else {
            size_t size = pieces->size ? 2 * pieces->size : 2;
            Piece *room = PyMem_Realloc(pieces->room, size * sizeof(Piece));
            if (!room) {
                PyErr_NoMemory();
                return -1;
            }
            pieces->room = room;
            pieces->size = size;
        }
    }
    pieces->room[pieces->first + pieces->count++] = (Piece){Py_NewRef(bytes), first, blocks};
    return 0;
}

/* The payload of a block that is here; 0 where it is not. */
static int pieces_find(const Pieces *pieces, uint64_t number, size_t blksize, struct iovec *payload)
{
    for (size_t index = pieces->first; index < pieces->first + pieces->count; index++) {
        const Piece *piece = &pieces->room[index];
        if (number < piece->first)
            return 0;
        if (number - piece->first < piece->blocks) {
            size_t size = (size_t)PyBytes_GET_SIZE(piece->bytes);
            size_t offset = (size_t)(number - piece->first) * blksize;
            payload->iov_base = PyBytes_AS_STRING(piece->bytes) + offset;
            payload->iov_len = size - offset < blksize ? size - offset : blksize;
            return 1;
        }
    }
    return 0;
}

#endif
