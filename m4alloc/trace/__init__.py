"""Recorded histories: record a program, read and write traces, replay them on another allocator."""
