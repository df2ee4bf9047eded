//! Data that users feed to a net: images, audio, tables, arrays.
