//! Arguments and replies of the methods that agents call on each other.
