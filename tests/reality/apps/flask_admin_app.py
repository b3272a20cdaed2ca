"""Flask-Admin with one model, its lists, forms and redirects."""

from __future__ import annotations

import os
from typing import Any

from flask import Flask
from flask_admin import Admin
from flask_admin.contrib.sqla import ModelView
from flask_sqlalchemy import SQLAlchemy

app: Any = Flask(__name__)
app.config["SECRET_KEY"] = "for tests"
app.config["SQLALCHEMY_DATABASE_URI"] = f"sqlite:///{os.environ['SHOP_DB']}"
db: Any = SQLAlchemy(app)


class Product(db.Model):  # type: ignore[misc]
    id = db.Column(db.Integer, primary_key=True)
    name = db.Column(db.String(80))


Admin(app, name="Shop").add_view(ModelView(Product, db.session))
with app.app_context():
    db.create_all()
    db.session.add_all([Product(name=f"product {number} <b>&") for number in range(60)])
    db.session.commit()

if "BARE" not in os.environ:
    from tiktok_middleware.contrib.flask import TikTok

    TikTok(app)
