// Opens the API's document in Swagger UI.
SwaggerUIBundle({
  url: document.querySelector("#swagger-ui").dataset.document,
  dom_id: "#swagger-ui",
  deepLinking: true,
  // It would send the document to another origin.
  validatorUrl: null,
  // It would show a link to what is sent as a file, and no rows.
  responseInterceptor: (response) => {
    delete response.headers["content-disposition"];
    return response;
  },
});
