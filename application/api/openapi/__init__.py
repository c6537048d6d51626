"""The API's description by OpenAPI 3.1, made of the tables of parameters, operators, formats and problems."""
