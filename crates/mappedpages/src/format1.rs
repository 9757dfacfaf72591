//! Format 1: the layout of mappedpages 0.1 and 0.2.
