// Opens the API's document in Swagger UI.
SwaggerUIBundle({
  url: document.querySelector("#swagger-ui").dataset.document,
  dom_id: "#swagger-ui",
  deepLinking: true,
  // It would send the document to another origin.
  validatorUrl: null,
});
