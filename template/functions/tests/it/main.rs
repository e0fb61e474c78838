//! The functions of templates, from outside.

mod arguments;
mod confinement;
mod data_functions;
mod helpers;
mod support;
