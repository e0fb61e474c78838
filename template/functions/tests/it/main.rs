//! The functions of templates, from outside.

mod arguments;
mod confinement;
mod data_functions;
mod fixtures;
mod handlebars;
mod helpers;
mod properties;
mod sprig;
mod support;
